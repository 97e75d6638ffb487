"""Every public name is documented and annotated."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

import reactor
from tests.architecture.test_imports import MODULES

PACKAGES = [module for module, path in MODULES.items() if path.name == "__init__.py"]
LISTED = [module for module in MODULES if hasattr(importlib.import_module(module), "__all__")]
INHERITED = ("object", "Enum", "Exception")


def load(module: str) -> ModuleType:
    return importlib.import_module(module)


def public_things() -> dict[str, Any]:
    """What the packages export: classes and functions, once each, by the name they are defined under."""
    things = {}
    for package in [*PACKAGES, "reactor.errors"]:
        module = load(package)
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                things[f"{thing.__module__}.{thing.__qualname__}"] = thing
    return things


PUBLIC = public_things()
CLASSES = {name: thing for name, thing in PUBLIC.items() if inspect.isclass(thing)}


def methods(cls: type) -> Iterator[tuple[str, Any]]:
    """The public methods and properties that the class itself defines."""
    for name, thing in vars(cls).items():
        if name.startswith("_") and name != "__init__":
            continue
        if isinstance(thing, staticmethod | classmethod):
            thing = thing.__func__  # noqa: PLW2901
        if isinstance(thing, property):
            thing = thing.fget  # noqa: PLW2901
        if inspect.isfunction(thing) and thing.__module__ == cls.__module__:
            yield name, thing


def is_generated(cls: type, name: str) -> bool:
    """Whether the method is a dataclass's: the fields are documented instead."""
    return hasattr(cls, "__dataclass_fields__") and name in ("__init__", "__eq__", "__hash__", "__repr__")


@pytest.mark.parametrize("module", MODULES)
def test_every_module_opens_with_what_it_is_about(module: str) -> None:
    docstring = ast.get_docstring(ast.parse(MODULES[module].read_text(encoding="utf-8")))
    assert docstring, f"{module} has no docstring"


@pytest.mark.parametrize("module", LISTED)
def test_what_a_module_lists_it_has_once(module: str) -> None:
    listed = load(module).__all__
    assert len(set(listed)) == len(listed)
    for name in listed:
        assert hasattr(load(module), name)


def test_the_package_exports_what_its_parts_do() -> None:
    assert set(reactor.__all__) >= {"Reactor", "Protocol", "FramedProtocol", "listen", "connect", "defaults", "Missed"}


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_thing_says_what_it_is(name: str) -> None:
    own = vars(PUBLIC[name]).get("__doc__") if inspect.isclass(PUBLIC[name]) else PUBLIC[name].__doc__
    assert own
    assert not own.startswith(f"{PUBLIC[name].__name__}("), "that is the docstring a dataclass makes up"


@pytest.mark.parametrize("name", CLASSES)
def test_every_public_method_says_what_it_does(name: str) -> None:
    cls = CLASSES[name]
    is_typing_protocol = getattr(cls, "_is_protocol", False)
    for method, _ in methods(cls):
        if is_generated(cls, method) or (method == "__init__" and (is_typing_protocol or issubclass(cls, Exception))):
            continue
        if name == "reactor.kernel.interface.Socket":
            continue  # the standard library's socket, method by method; it is documented there
        documented = any(getattr(vars(base).get(method), "__doc__", None) for base in cls.__mro__)
        assert documented, f"{name}.{method}"


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_function_is_annotated(name: str) -> None:
    thing = PUBLIC[name]
    functions = methods(thing) if inspect.isclass(thing) else [(thing.__name__, thing)]
    for method, function in functions:
        if inspect.isclass(thing) and is_generated(thing, method):
            continue
        signature = inspect.signature(inspect.unwrap(function))
        for parameter in list(signature.parameters.values()):
            if parameter.name not in ("self", "cls"):
                assert parameter.annotation is not parameter.empty, f"{name}.{method}({parameter.name})"
        assert signature.return_annotation is not signature.empty, f"{name}.{method}"


def documented_fields(module: str, cls: str) -> dict[str, bool]:
    """The public annotated fields in a class's body, and whether a docstring stands below each."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    body = next(node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == cls)
    fields = {}
    for node, following in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id[0] != "_":
            said = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
            fields[node.target.id] = said
    return fields


@pytest.mark.parametrize("name", CLASSES)
def test_every_public_field_of_a_class_says_what_it_is(name: str) -> None:
    cls = CLASSES[name]
    docstring = inspect.getdoc(cls) or ""
    for field, said in documented_fields(cls.__module__, cls.__name__).items():
        assert said or f"`{field}`" in docstring, f"{name}.{field}"
