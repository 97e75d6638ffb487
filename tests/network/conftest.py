from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.network.kit import Network, ScriptedKernel, open_descriptors


@pytest.fixture
def kernel() -> ScriptedKernel:
    """The kernel that `net` runs on, in a test that asks for both."""
    return ScriptedKernel()


@pytest.fixture
def net(request: pytest.FixtureRequest) -> Iterator[Network]:
    """A reactor; behind it no descriptor and no unexpected error may be left."""
    before = open_descriptors()
    net = Network(request.getfixturevalue("kernel") if "kernel" in request.fixturenames else None)
    try:
        yield net
    finally:
        net.close()
    assert open_descriptors() - before == set()


@pytest.fixture
def mute_port() -> Iterator[int]:
    """A port that does not answer: its backlog is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        yield listener.getsockname()[1]
        for filler in fillers:
            filler.close()
