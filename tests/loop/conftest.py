"""A reactor in each world, and one on a scripted kernel."""

from tests.loop.fixtures import *  # noqa: F403
