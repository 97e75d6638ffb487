"""The loop's own fixtures: here it is inside something else."""

from tests.loop.fixtures import *  # noqa: F403
