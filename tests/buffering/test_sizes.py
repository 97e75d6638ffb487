"""What may be a size: told at once, and by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reactor import Budget, ConnectionOptions, FixedLengthCodec, LengthPrefixedCodec, LineCodec, OptionError
from reactor.buffering import ReceiveBuffer, WaterMarks
from reactor.buffering.sizes import check_size


@pytest.mark.parametrize("size", [1.5, 2.0, "3", None, True, b"4"])
def test_what_is_no_whole_number_is_no_size_and_the_error_names_it(size: Any) -> None:
    with pytest.raises(OptionError, match="the length of something is a number of bytes, not"):
        check_size("the length of something", size)


def test_a_size_may_be_its_least_value_and_not_less() -> None:
    check_size("a size", 0)
    check_size("a size", 5, 5)
    with pytest.raises(OptionError, match="a size is at least 5, not 4"):
        check_size("a size", 4, 5)


@pytest.mark.parametrize(
    "use",
    [
        lambda size: Budget(size),
        lambda size: ReceiveBuffer(size),
        lambda size: WaterMarks(high=size, low=0),
        lambda size: WaterMarks(high=5, low=size),
        lambda size: LineCodec(max_length=size),
        lambda size: FixedLengthCodec(size),
        lambda size: LengthPrefixedCodec(max_length=size),
        lambda size: ConnectionOptions(read_size=size),
        lambda size: ConnectionOptions(hard_limit=size),
        lambda size: ConnectionOptions(high_water=size),
        lambda size: ConnectionOptions(low_water=size),
    ],
)
@pytest.mark.parametrize("size", [2.5, "2", True])
def test_whoever_takes_a_size_checks_it(use: Callable[[Any], object], size: Any) -> None:
    with pytest.raises(OptionError, match="is a number of bytes, not"):
        use(size)
