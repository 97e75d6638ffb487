"""A reactor on each selector of this platform, and one on a scripted kernel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reactor import Reactor
from reactor.kernel import SystemKernel
from tests.loop.kit import SELECTORS, ScriptedKernel, within


@pytest.fixture(autouse=True)
def _bounded() -> Iterator[None]:
    with within(60):
        yield


@pytest.fixture(params=SELECTORS)
def reactor(request: pytest.FixtureRequest) -> Iterator[Reactor]:
    with Reactor(kernel=SystemKernel(SELECTORS[request.param])) as reactor:
        yield reactor


@pytest.fixture
def kernel() -> ScriptedKernel:
    return ScriptedKernel()


@pytest.fixture
def scripted(kernel: ScriptedKernel) -> Iterator[Reactor]:
    with Reactor(kernel=kernel) as reactor:
        yield reactor
