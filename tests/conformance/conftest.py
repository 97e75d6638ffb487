"""The kit's cases assert outside of test modules; let pytest explain their failures all the same."""

from pathlib import Path

import pytest

for module in Path(__file__).parent.glob("cases_*.py"):
    pytest.register_assert_rewrite(f"tests.conformance.{module.stem}")
