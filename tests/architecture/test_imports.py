"""A folder is a layer: who may import what, read from the source. Imports count wherever they stand."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import reactor

ROOT = Path(reactor.__file__).parent
MODULES = {
    ".".join(("reactor", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}

ALLOWED = {
    "errors": set[str](),
    "buffering": {"errors"},
    "framing": {"buffering", "errors"},
    "kernel": {"errors"},
    "loop": {"kernel", "errors"},
    "network": {"loop", "kernel", "buffering", "framing", "errors"},
    "instruments": {"network", "loop", "kernel", "errors"},
    "simulation": {"network", "loop", "kernel", "errors"},
}
"""For each layer, the other layers it may import from. What is not named (`cli`) may import everything."""

SANS_IO = {"socket", "select", "selectors", "ssl", "threading", "time", "asyncio", "signal", "os", "concurrent"}
FORBIDDEN = {
    "errors": SANS_IO,
    "buffering": SANS_IO,
    "framing": SANS_IO,
    "kernel": {"ssl", "asyncio"},
    "loop": {"socket", "select", "selectors", "ssl", "signal", "threading", "time", "asyncio", "os", "concurrent"},
    "network": {"select", "selectors", "signal", "threading", "time", "asyncio", "concurrent"},
    "instruments": {"asyncio"},
    "simulation": {"select", "ssl", "asyncio", "signal", "threading", "concurrent", "os", "time", "subprocess"},
}
TYPES_ONLY = {("loop", "selectors")}
"""What may be imported for its names alone: the loop is handed a selector, and never makes one."""

ALSO_TOLERATED: dict[str, set[str]] = {
    # A package's own module, so that `python3 -m reactor` is the command line.
    "reactor.__main__": {"cli"},
}


def layer(module: str) -> str:
    """`"loop"` for `reactor.loop.timers`; `""` for the package itself."""
    return [*module.split("."), ""][1]


def imports(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each imported module with the names taken from it, function-level and TYPE_CHECKING imports included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, ()
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides what it imports"
            assert node.module is not None
            yield node.module, tuple(alias.name for alias in node.names)


def imported_modules(path: Path) -> Iterator[str]:
    """The modules of `reactor` that are imported: `from reactor.loop import timers` imports `reactor.loop.timers`."""
    for module, names in imports(path):
        if module.split(".")[0] == "reactor":
            yield module
            for name in names:
                if f"{module}.{name}" in MODULES:
                    yield f"{module}.{name}"


def test_the_table_covers_every_folder() -> None:
    assert {layer(module) for module in MODULES} - {"", "__main__", "cli"} <= set(ALLOWED)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_the_layers_below_it(module: str) -> None:
    here = layer(module)
    if here not in ALLOWED:
        return
    for imported in imported_modules(MODULES[module]):
        assert layer(imported) in ALLOWED[here] | {here}, f"{module} imports {imported}"


@pytest.mark.parametrize("module", MODULES)
def test_nothing_below_imports_the_outer_layers(module: str) -> None:
    for outer in ("instruments", "simulation", "cli"):
        if layer(module) in (outer, "cli") or outer in ALSO_TOLERATED.get(module, ()):
            continue
        assert outer not in {layer(imported) for imported in imported_modules(MODULES[module])}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_keeps_away_from_the_standard_library_that_is_not_its_layers(module: str) -> None:
    here = layer(module)
    for imported, _ in imports(MODULES[module]):
        top = imported.split(".")[0]
        if (here, top) not in TYPES_ONLY:
            assert top not in FORBIDDEN.get(here, ()), f"{module} imports {imported}"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_nothing_that_has_to_be_installed(module: str) -> None:
    for imported, _ in imports(MODULES[module]):
        assert imported.split(".")[0] in sys.stdlib_module_names | {"reactor"}


@pytest.mark.parametrize("module", [module for module in MODULES if layer(module) == "loop"])
def test_the_loop_uses_selectors_for_types_only(module: str) -> None:
    for imported, names in imports(MODULES[module]):
        if imported == "selectors":
            assert set(names) <= {"BaseSelector", "SelectorKey"}
            assert names


@pytest.mark.parametrize("module", [module for module in MODULES if layer(module) == "network"])
def test_the_network_uses_socket_for_constants_only(module: str) -> None:
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "socket":
            assert node.attr.isupper(), f"{module}: socket.{node.attr}"
        elif isinstance(node, ast.ImportFrom) and node.module == "socket":
            assert all(alias.name.isupper() for alias in node.names)


@pytest.mark.parametrize("module", [module for module in MODULES if layer(module) == "simulation"])
def test_the_simulation_touches_no_real_socket_and_no_real_selector(module: str) -> None:
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    names_only = {"socket.gaierror", "selectors.BaseSelector", "selectors.SelectorKey"}  # of errors, bases and types
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("socket", "selectors"):
            named = ast.unparse(node)
            assert node.attr.isupper() or named in names_only or named == "socket.socket", f"{module}: {named}"
        elif isinstance(node, ast.Call):
            assert ast.unparse(node.func) != "socket.socket", f"{module} makes a real socket"
        elif isinstance(node, ast.ImportFrom):
            assert node.module not in ("socket", "selectors")


def test_there_is_no_import_cycle() -> None:
    graph = {
        module: {imported for imported in imported_modules(path) if imported in MODULES and imported != module}
        for module, path in MODULES.items()
    }
    # A package's own __init__ collects what its modules define; importing the package is importing the collection.
    seen: dict[str, bool] = {}  # False: on the path that led here

    def visit(module: str, path: tuple[str, ...]) -> None:
        if module in seen:
            assert seen[module], " -> ".join((*path[path.index(module) :], module))
            return
        seen[module] = False
        for imported in sorted(graph[module]):
            visit(imported, (*path, module))
        seen[module] = True

    for module in graph:
        visit(module, ())


def loaded_after(statement: str) -> set[str]:
    script = f"{statement}\nimport sys\nprint(*sys.modules)"
    command = [sys.executable, "-S", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT.parent)
    return set(done.stdout.split())


def test_importing_reactor_loads_nothing_that_most_programs_never_need() -> None:
    heavy = {"ssl", "concurrent.futures", "asyncio", "logging", "argparse", "subprocess"}
    assert not loaded_after("import reactor") & heavy


def test_importing_reactor_does_not_load_the_command_line() -> None:
    assert not {module for module in loaded_after("import reactor") if module.startswith("reactor.cli")}


def test_running_an_empty_reactor_starts_no_machinery_it_does_not_need() -> None:
    heavy = {"ssl", "concurrent.futures", "asyncio", "logging"}
    assert not loaded_after("import reactor\nwith reactor.Reactor() as r: r.call_soon(list); r.run()") & heavy
