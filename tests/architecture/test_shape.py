"""What makes source readable and can be counted."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.test_imports import MODULES

LONGEST_FUNCTION = 60
"""Lines, with its docstring: a screen."""

LONGEST_FILE = 400
"""Lines."""

LONGER_FILES = {"reactor.loop.reactor": 600, "reactor.network.connection": 650}
"""The two that hold a contract which is read as one."""


def trees() -> Iterator[tuple[str, ast.Module]]:
    for module, path in MODULES.items():
        yield module, ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("module", MODULES)
def test_a_file_can_be_read_in_one_sitting(module: str) -> None:
    lines = len(MODULES[module].read_text(encoding="utf-8").splitlines())
    assert lines <= LONGER_FILES.get(module, LONGEST_FILE)


def test_a_function_fits_on_a_screen() -> None:
    for module, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                length = node.end_lineno - node.lineno + 1
                assert length <= LONGEST_FUNCTION, f"{module}.{node.name}: {length} lines"


def flags(cls: ast.ClassDef) -> set[str]:
    """The attributes of `self` that are set to a plain true or false anywhere in the class."""
    found = set()
    for node in ast.walk(cls):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        value = getattr(node, "value", None)
        if isinstance(value, ast.Constant) and isinstance(value.value, bool):
            found |= {ast.unparse(target) for target in targets if ast.unparse(target).startswith("self.")}
    return found


def test_no_class_hides_its_state_in_flags() -> None:
    for module, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                assert len(flags(node)) <= 2, f"{module}.{node.name}: {sorted(flags(node))}"


def test_no_file_names_a_place_or_a_time_of_its_making() -> None:
    for module, path in MODULES.items():
        text = path.read_text(encoding="utf-8")
        for word in ("/work/", "/tmp/", "TODO", "FIXME", "XXX"):
            assert word not in text, f"{module}: {word}"
