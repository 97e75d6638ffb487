from __future__ import annotations

import pytest

from reactor.buffering import Budget
from reactor.errors import BudgetExceededError, MisuseError, OptionError


def test_a_budget_counts_what_is_taken_and_given_back() -> None:
    budget = Budget(10)
    budget.change(7)
    budget.change(-3)
    assert (budget.used, budget.limit) == (4, 10)
    assert repr(budget) == "<Budget 4 of 10 bytes used>"


def test_a_budget_may_be_used_up_exactly() -> None:
    budget = Budget(10)
    budget.change(10)
    assert budget.used == 10


def test_a_budget_refuses_what_would_pass_its_limit_and_names_both_numbers() -> None:
    budget = Budget(10)
    budget.change(7)
    with pytest.raises(BudgetExceededError, match=r"\b11 bytes .* \b10 bytes"):
        budget.change(4)
    assert budget.used == 7


def test_bytes_can_be_given_back_although_the_limit_was_lowered_below_what_is_used() -> None:
    budget = Budget(10)
    budget.change(10)
    budget.limit = 5
    budget.change(-2)
    assert budget.used == 8


def test_more_than_was_taken_cannot_be_given_back() -> None:
    budget = Budget(10)
    budget.change(1)
    with pytest.raises(MisuseError, match="only 1"):
        budget.change(-2)
    assert budget.used == 1


@pytest.mark.parametrize("limit", [0, -1])
def test_a_budget_of_nothing_is_refused(limit: int) -> None:
    with pytest.raises(OptionError, match=str(limit)):
        Budget(limit)
