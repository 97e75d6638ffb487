from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.network.kit import Network, ScriptedKernel, World
from tests.network.worlds import WORLDS


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "system_only(reason): about the operating system itself, so on it alone")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whatever takes place in a world takes place in each of them."""
    if "new_world" in metafunc.fixturenames:
        real_only = metafunc.definition.get_closest_marker("system_only") is not None
        names = ["system"] if real_only else list(WORLDS)
        metafunc.parametrize("new_world", names, indirect=True, scope="module")


@pytest.fixture(scope="module")
def new_world(request: pytest.FixtureRequest) -> Callable[[], World]:
    """Makes worlds, all of one kind: for a test that needs a new one for each example."""
    return WORLDS[request.param]


@pytest.fixture
def world(new_world: Callable[[], World]) -> Iterator[World]:
    world = new_world()
    yield world
    world.close()


@pytest.fixture
def kernel(world: World) -> ScriptedKernel:
    """The kernel that `net` runs on, in a test that asks for both."""
    return ScriptedKernel(world.kernel)


@pytest.fixture
def net(request: pytest.FixtureRequest, world: World) -> Iterator[Network]:
    """A reactor; behind it no descriptor and no unexpected error may be left."""
    before = world.open_descriptors()
    net = Network(world, request.getfixturevalue("kernel") if "kernel" in request.fixturenames else None)
    try:
        yield net
    finally:
        net.close()
    assert world.open_descriptors() - before == set()


@pytest.fixture
def mute_port(world: World) -> Iterator[int]:
    """A port that does not answer: its backlog is full."""
    listener = world.raw_socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fillers = [world.raw_socket() for _ in range(4)]
    for filler in fillers:
        filler.connect_ex(listener.getsockname())
    yield listener.getsockname()[1]
    for sock in (listener, *fillers):
        sock.close()
