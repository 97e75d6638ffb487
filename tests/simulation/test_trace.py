from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.simulation import CALM, HOSTILE, LOSSY_WIFI, Profile, Simulation
from reactor.simulation.trace import Line
from tests.simulation.kit import connected, converse, raises, tcp, two_hosts
from tests.simulation.story import EVERYTHING, tell

ROOT = Path(__file__).parents[2]

LINE = re.compile(r"\d+\.\d{9} \S+ .+")


def told_by_another_process(hash_seed: str, *seeds: int) -> str:
    """The traces of these stories, as a Python of its own tells them."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation.story", *map(str, seeds)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_trace_has_the_system_calls_of_all_hosts_with_their_times_and_answers() -> None:
    sim, server, client = two_hosts(trace=True)
    near, far = connected(sim, client, server)
    near.send(b"hello")
    sim.run_for(1)
    far.recv(3)
    with raises(errno.ENOTCONN):
        tcp(server).getpeername()
    server.unplug()
    tcp(server).connect_ex(("10.0.0.2", 1))
    server.crash()
    assert str(sim.trace).splitlines() == [
        "0.000000000 server socket() = 1000000",
        "0.000000000 server bind(1000000, 0.0.0.0:9000) = 0",
        "0.000000000 server listen(1000000, 16) = 0",
        "0.000000000 client socket() = 1000000",
        "0.000000000 client connect(1000000, 10.0.0.1:9000) = EINPROGRESS",
        "0.003000000 server accept(1000000) = 1000001 from 10.0.0.2:32768",
        "0.003000000 server close(1000000) = 0",
        "0.003000000 client send(1000000, 5) = 5 b'hello'",
        "1.003000000 server recv(1000001, 3) = 3 b'hel'",
        "1.003000000 server socket() = 1000000",
        "1.003000000 server getpeername(1000000) = ENOTCONN",
        "1.003000000 server unplugged",
        "1.003000000 server socket() = 1000002",
        "1.003000000 server connect(1000002) = ENETUNREACH",
        "1.003000000 server crashed",
    ]  # fmt: skip


def test_a_trace_has_what_happens_to_hosts_and_links() -> None:
    sim, server, client = two_hosts(trace=True)
    sim.partition(server, client)
    sim.heal(server, client)
    sim.heal()
    sim.link(server, client, loss=0.5, latency=2.0)
    for how in (server.unplug, server.plug, server.restart, server.kill, server.crash, server.restart):
        how()
    said = [f"{line.host} {line.what}" for line in sim.trace]
    for word, line in zip(("partition", "heal", "heal", "link"), said, strict=False):
        assert word in line
    assert "latency" in said[3]
    assert "2.0" in said[3]
    assert said[4:] == [
        "server unplugged", "server plugged in", "server was restarted", "server started",
        "server was killed", "server crashed", "server started",
    ]  # fmt: skip


def test_a_fault_stands_before_the_call_that_it_strikes() -> None:
    sim, server, client = two_hosts(trace=True, schedule=[("short_read", 1, 2)])
    near, far = connected(sim, client, server)
    near.send(b"hello")
    sim.run_for(1)
    far.recv(10)
    assert [str(line).split(" ", 1)[1] for line in sim.trace[-2:]] == [
        "server * short_read 2",
        "server recv(1000001, 2) = 2 b'he'",
    ]


def test_a_line_shows_the_first_bytes_of_what_was_sent_or_read() -> None:
    sim, server, client = two_hosts(trace=True)
    near, far = connected(sim, client, server)
    near.send(b"0123456789abcdef")
    near.send(b"0123456789abcdefg")
    sim.run_for(1)
    far.recv(100)
    assert [line.what for line in sim.trace if "send" in line.what or "recv" in line.what] == [
        "send(1000000, 16) = 16 b'0123456789abcdef'",
        "send(1000000, 17) = 17 b'0123456789abcdef'…",
        "recv(1000001, 100) = 33 b'0123456789abcdef'…",
    ]


def test_a_line_is_made_of_its_parts() -> None:
    sim, server, _ = two_hosts(trace=True)
    sim.run_for(1.5)
    server.crash()
    assert sim.trace == [Line(1.5, "server", "crashed")]
    assert str(sim.trace[0]) == "1.500000000 server crashed"
    assert str(Line(0.25, "a", "stall", strike=95)) == "0.250000000 a * stall 95"


def test_errors_that_are_reported_stand_in_the_trace() -> None:
    sim, server, _ = two_hosts(trace=True)
    server.reactor.call_soon(divmod, 1, 0)
    with pytest.raises(ZeroDivisionError):
        sim.run()
    assert sim.trace[-1][1:3] == ("server", "reported ZeroDivisionError")


def test_without_being_asked_for_there_is_no_trace() -> None:
    sim, server, client = two_hosts()
    converse(sim, client, server, [b"x"])
    assert sim.trace == []
    assert str(sim.trace) == ""


# --- The same seed makes the same run -------------------------------------------------------------------------------


def test_a_story_in_which_everything_happens_is_the_same_in_any_process_byte_for_byte() -> None:
    told = [told_by_another_process(hash_seed, 1, 2) for hash_seed in ("0", "1", "random")]
    assert told[0] == told[1] == told[2]
    assert told[0] == f"{tell(1).trace}\n{tell(2).trace}\n"


def test_the_story_has_everything_in_it() -> None:
    sims = [tell(seed) for seed in range(3)]
    lines = [str(line) for sim in sims for line in sim.trace]
    assert all(LINE.fullmatch(line) for line in lines)
    assert {strike.kind.split()[0] for sim in sims for strike in sim.struck} == {
        "short_read", "short_write", "refused_write", "spurious_readiness", "shuffled_readiness", "stall",
        "aborted_accept", "exhausted", "reset", "unresolved", "loss",
    }  # fmt: skip
    for said in ("EMFILE", "ENFILE", "ENOBUFS", "ECONNABORTED", "ECONNRESET", "EAGAIN", "crashed", "started"):
        assert any(said in line for line in lines), said
    for said in ("answer", "signal", "worked 3", "lost IdleTimeoutError", "failed ConnectTimeoutError", "reported"):
        assert any(said in line for line in lines), said


def test_another_seed_makes_another_run() -> None:
    assert len({str(tell(seed).trace) for seed in range(4)}) == 4


@pytest.mark.parametrize("profile", [CALM, LOSSY_WIFI, HOSTILE, EVERYTHING])
def test_a_run_is_repeated_exactly_by_what_has_struck(profile: Profile) -> None:
    first = tell(11, profile)
    again = tell(11, profile, schedule=first.struck)
    assert again.struck == first.struck
    assert again.trace == first.trace


PROFILES = st.sampled_from([CALM, LOSSY_WIFI, HOSTILE, EVERYTHING])


@settings(max_examples=8, deadline=None)
@given(st.integers(), PROFILES)
def test_any_seed_and_profile_make_the_same_trace_twice(seed: int, profile: Profile) -> None:
    assert tell(seed, profile).trace == tell(seed, profile).trace


@settings(max_examples=40, deadline=None)
@given(st.integers(), PROFILES, st.lists(st.binary(max_size=50_000), max_size=4))
def test_any_conversation_makes_the_same_trace_twice(seed: int, profile: Profile, chunks: list[bytes]) -> None:
    traces = []
    for _ in range(2):
        sim, server, client = two_hosts(seed, profile=profile.but(exhausted=0, unresolved=0), trace=True)
        try:
            converse(sim, client, server, chunks, within=300.0)
        except (OSError, TimeoutError) as error:
            sim.trace.add("-", str(error))
        traces.append(sim.trace)
    assert traces[0] == traces[1]


def test_what_other_simulations_do_meanwhile_changes_nothing() -> None:
    alone = tell(5).trace
    before = Simulation(99, profile=HOSTILE)
    converse(before, before.host("a"), before.host("b"), [b"x" * 1000])
    assert tell(5).trace == alone
