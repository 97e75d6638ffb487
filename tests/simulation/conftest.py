"""Two machines for each test that wants some; and no test hangs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reactor.simulation import Host, Simulation
from reactor.simulation.sockets import SimulatedSocket
from tests.loop.kit import within
from tests.simulation.kit import connected, two_hosts


@pytest.fixture(autouse=True)
def _bounded() -> Iterator[None]:
    """What should take a fraction of a second is given two minutes."""
    with within(120):
        yield


@pytest.fixture
def sim() -> Simulation:
    """A quiet one, with a server and a client."""
    sim, _, _ = two_hosts()
    return sim


@pytest.fixture
def server(sim: Simulation) -> Host:
    return sim.hosts["server"]


@pytest.fixture
def client(sim: Simulation) -> Host:
    return sim.hosts["client"]


@pytest.fixture
def host(server: Host) -> Host:
    """Where it does not matter which."""
    return server


@pytest.fixture
def ends(sim: Simulation, client: Host, server: Host) -> tuple[SimulatedSocket, SimulatedSocket]:
    """The client's and the server's end of a connection."""
    return connected(sim, client, server)
