from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.loop.kit import within


@pytest.fixture(autouse=True)
def _bounded() -> Iterator[None]:
    with within(60):
        yield
