"""The fixtures of the loop's tests, also of those that embed it; a `conftest.py` takes them from here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reactor import Reactor
from tests.loop.kit import ScriptedKernel, within
from tests.loop.worlds import SIMULATION, WITHOUT_DESCRIPTOR, WORLDS, World, a_world

__all__ = [
    "_bounded",
    "hostable",
    "kernel",
    "pytest_configure",
    "pytest_generate_tests",
    "reactor",
    "scripted",
    "world",
]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "system_only(reason): is about the operating system itself")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What takes place in a world takes place in each, but for what is only to be found in one."""
    if "world" not in metafunc.fixturenames:
        return
    names = WORLDS
    if metafunc.definition.get_closest_marker("system_only") is not None:
        names = [name for name in names if name != SIMULATION]
    if "hostable" in metafunc.fixturenames:
        names = [name for name in names if name not in WITHOUT_DESCRIPTOR]
    metafunc.parametrize("world", names, indirect=True)


@pytest.fixture(autouse=True)
def _bounded() -> Iterator[None]:
    with within(60):
        yield


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with a_world(request.param) as world:
        yield world


@pytest.fixture
def reactor(world: World) -> Iterator[Reactor]:
    with Reactor(kernel=world.kernel) as reactor:
        yield reactor


@pytest.fixture
def hostable(reactor: Reactor) -> Reactor:
    """A reactor with a descriptor of its own."""
    return reactor


@pytest.fixture
def kernel() -> ScriptedKernel:
    return ScriptedKernel()


@pytest.fixture
def scripted(kernel: ScriptedKernel) -> Iterator[Reactor]:
    with Reactor(kernel=kernel) as reactor:
        yield reactor
