"""What Hypothesis draws: scripts of system calls, and conversations."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.simulation.differential.conversations import ANSWERS, GREETINGS, Conversation, Manner
from tests.simulation.differential.steps import Step, script

__all__ = ["conversations", "scripts"]

_ARGUMENTS = {
    "send": ("1", "10", "700", "0"),
    "recv": ("65536", "1", "0"),
    "drain": ("",),
    "fill": ("",),
    "shutdown": ("WR", "RD", "RDWR"),
    "close": ("",),
    "reset": ("",),
    "error": ("",),
    "peername": ("",),
    "sockname": ("",),
    "connect": ("",),
    "bind": ("any", "taken", "foreign"),
}

_CALLS = [Step("", verb, argument) for verb, arguments in _ARGUMENTS.items() for argument in arguments]

_BY_ANYBODY = st.builds(lambda who, step: step._replace(who=who), st.sampled_from("aAbBc"), st.sampled_from(_CALLS))
_BY_THE_PAIR = st.builds(lambda who, step: step._replace(who=who), st.sampled_from("aA"), st.sampled_from(_CALLS))
_BY_THE_LISTENER = st.sampled_from(
    script("l.accept; l.accept; l.listen 0; l.listen 1; l.close; l.recv 9; l.send 1; l.error; l.connect; l.bind any")
)

_BEGINNINGS = st.sampled_from(
    ("a.connect; l.accept", "a.connect; b.connect; l.accept", "a.connect", "l.listen 0; b.connect; a.connect")
)

_WRITES = script("near.write small; near.write nothing; near.write huge")
_BY_NEAR = (*_WRITES, *script("near.finish; near.close; near.abort; near.pause; near.resume"))
_BY_FAR = tuple(step._replace(who="far") for step in _BY_NEAR)
_SETTLE = script("settle")

_ENCOUNTERS = st.sampled_from(
    ("near.connect; settle", "near.connect; settle", "near.connect", "near.connect; server.close; settle")
)


def scripts() -> st.SearchStrategy[tuple[Step, ...]]:
    """Mostly about one connection, sometimes about several."""
    step = st.one_of(_BY_THE_PAIR, _BY_THE_PAIR, _BY_ANYBODY, _BY_THE_LISTENER)
    return st.builds(lambda first, rest: script(first) + tuple(rest), _BEGINNINGS, st.lists(step, max_size=20))


def conversations() -> st.SearchStrategy[Conversation]:
    """Two manners, and up to a dozen steps."""
    manners = st.builds(Manner, st.sampled_from(GREETINGS), st.sampled_from(ANSWERS), st.booleans())
    step = st.one_of(st.sampled_from(_BY_NEAR), st.sampled_from(_BY_FAR), st.sampled_from(_SETTLE))
    steps = st.builds(lambda first, rest: script(first) + tuple(rest), _ENCOUNTERS, st.lists(step, max_size=12))
    return st.builds(Conversation, manners, manners, steps)
