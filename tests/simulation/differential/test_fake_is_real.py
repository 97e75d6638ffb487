"""The simulated kernel does what the real one does: random scripts are played on both, and the transcripts are equal.

There are two sorts of scripts: system calls on raw sockets (`sockets.py`), and transport calls between two protocols
(`conversations.py`). In both, the simulation goes first, and the loopback of this machine is then held against its
transcript. Where a real kernel may do several things, `allowed.py` says so, and why.

What the simulation claims must be something that Linux does. So when a transcript differs, the script is played again
on the real kernel: a machine that is busy with something else may have been late once, but not three times.
"""

from __future__ import annotations

import itertools
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings

from reactor import Kernel, SystemKernel
from reactor.simulation import Simulation
from tests.simulation.differential import sockets
from tests.simulation.differential.allowed import ALLOWED, Allowed
from tests.simulation.differential.conversations import Conversation, hold
from tests.simulation.differential.questions import QUESTIONS, ask
from tests.simulation.differential.situations import CONVERSATIONS, SCRIPTS
from tests.simulation.differential.sockets import Line, play
from tests.simulation.differential.steps import Step, script
from tests.simulation.differential.strategies import conversations, scripts

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what is simulated is Linux's TCP")

ATTEMPTS = 3
"""How often the real kernel is asked before a difference counts."""

random_scripts = settings(deadline=None, max_examples=1500, derandomize=True)
random_conversations = settings(deadline=None, max_examples=800, derandomize=True)


@contextmanager
def simulated() -> Iterator[Kernel]:
    """The kernel of a host that is alone in its world."""
    with Simulation() as simulation:
        yield simulation.host("here", "10.0.0.1").kernel


def compare(act: Callable[..., Sequence[Any]], what: Any) -> None:
    """Do it in the simulation, then on the real kernel, and fail if the transcripts differ."""
    with simulated() as kernel:
        claimed = act(kernel, what)
    for _ in range(ATTEMPTS):
        seen = act(SystemKernel(), what, claimed)
        if seen == claimed:
            return
    story = [str(what)] if isinstance(what, Conversation) else []
    common = "\n".join([*story, *map(str, seen[:-1])])
    pytest.fail(f"{common}\nsimulated: {claimed[len(seen) - 1]}\nreal:      {seen[-1]}", pytrace=False)


def has_ipv6() -> bool:
    """Whether the loopback of this machine has an address of IPv6."""
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.parametrize("name", SCRIPTS)
def test_system_calls_are_answered_as_on_linux_in_a_known_situation(name: str) -> None:
    compare(play, SCRIPTS[name])


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_protocols_are_told_the_same_in_a_known_situation(name: str) -> None:
    compare(hold, CONVERSATIONS[name])


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_has_one_answer(name: str) -> None:
    if "ipv6" in name and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    with simulated() as kernel:
        claimed = ask(kernel, QUESTIONS[name])
    assert claimed == ask(SystemKernel(), QUESTIONS[name])


@pytest.mark.parametrize(
    "calls",
    [
        "a.send 10; a.recv 65536; a.shutdown WR; a.shutdown RD; a.close; a.reset; a.error",
        "a.send 10; a.drain; a.fill; a.shutdown WR; a.shutdown RDWR; a.close; a.reset",
    ],
)
def test_all_scripts_of_three_calls_on_a_connection_are_answered_as_on_linux(calls: str) -> None:
    meeting = script("a.connect; l.accept")
    by_client = script(calls)
    by_either = (*by_client, *(step._replace(who="A") for step in by_client))
    for steps in itertools.product(by_client, by_either, by_either):  # beginning with "A", it is the same mirrored
        compare(play, meeting + steps)


@random_scripts
@given(steps=scripts())
def test_any_script_of_system_calls_is_answered_as_on_linux(steps: tuple[Step, ...]) -> None:
    compare(play, steps)


@random_conversations
@given(conversation=conversations())
def test_protocols_are_told_the_same_in_any_conversation(conversation: Conversation) -> None:
    compare(hold, conversation)


def test_a_difference_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def liar(kernel: Kernel, steps: Sequence[Step], awaited: Sequence[Line] | None = None) -> list[Line]:
        transcript = play(kernel, steps, awaited)
        if awaited is None:
            transcript[2] = transcript[2]._replace(outcome="4")
        return transcript

    monkeypatch.setattr(sockets, "PATIENCE", 0.0)
    with pytest.raises(pytest.fail.Exception, match=r"real: +a\.send 9 +9"):
        compare(liar, script("a.connect; l.accept; a.send 9"))


@pytest.mark.parametrize("row", ALLOWED, ids=lambda row: row.instead)
def test_every_row_of_what_is_allowed_is_made_use_of(row: Allowed) -> None:
    with simulated() as kernel:
        told = [str(line) for steps in SCRIPTS.values() for line in play(kernel, steps)]
        told += [str(chapter) for conversation in CONVERSATIONS.values() for chapter in hold(kernel, conversation)]
    assert any(row.instead in line for line in told)
