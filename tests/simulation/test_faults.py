from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor import OptionError, connect, listen
from reactor.simulation import CALM, HOSTILE, LOSSY_WIFI, Faults, Link, Profile
from tests.simulation.kit import Caller, Echo, converse, two_hosts

TRANSPARENT = ("short_read", "short_write", "refused_write", "spurious_readiness", "shuffled_readiness", "stall")
DESTRUCTIVE = ("aborted_accept", "exhausted", "reset", "unresolved")


@pytest.mark.parametrize("field", [*(one.name for one in fields(Faults)), "loss"])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), "often", None])
def test_what_is_no_probability_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(OptionError, match=f"^{field} is a probability"):
        CALM.but(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["latency", "jitter"])
@pytest.mark.parametrize("value", [-1, float("inf"), float("nan"), "1", None])
def test_what_is_no_number_of_seconds_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(OptionError, match=f"^{field} is a number of seconds"):
        CALM.but(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [0, -1, float("nan"), "fast"])
def test_what_is_no_bandwidth_is_refused(value: object) -> None:
    with pytest.raises(OptionError, match="bandwidth is positive"):
        Link(bandwidth=value)  # type: ignore[arg-type]


def test_a_profile_can_be_had_with_some_fields_changed() -> None:
    changed = HOSTILE.but(short_read=0, latency=2.0, bandwidth=None)
    assert (changed.faults.short_read, changed.link.latency, changed.link.bandwidth) == (0, 2.0, None)
    assert changed.faults.short_write == HOSTILE.faults.short_write
    assert changed.link.loss == HOSTILE.link.loss
    assert HOSTILE.faults.short_read == 0.3


def test_a_field_that_nobody_has_is_refused_by_name() -> None:
    with pytest.raises(OptionError, match="delay, shortread"):
        CALM.but(shortread=1.0, delay=1.0)


@pytest.mark.parametrize(
    ("profile", "written"),
    [
        (CALM, "CALM"),
        (LOSSY_WIFI, "LOSSY_WIFI"),
        (HOSTILE, "HOSTILE"),
        (Profile(), "CALM"),
        (HOSTILE.but(), "HOSTILE"),
        (HOSTILE.but(reset=0.05), "HOSTILE.but(reset=0.05)"),
        (LOSSY_WIFI.but(bandwidth=None), "LOSSY_WIFI.but(bandwidth=None)"),
        (Profile(link=Link(latency=2.0), faults=Faults(stall=1.0)), "CALM.but(latency=2.0, stall=1.0)"),
    ],
)
def test_a_profile_is_written_as_one_would_write_it(profile: Profile, written: str) -> None:
    assert repr(profile) == written




def test_every_fault_is_either_transparent_or_off_in_all_ready_made_profiles() -> None:
    assert {one.name for one in fields(Faults)} == {*TRANSPARENT, *DESTRUCTIVE}
    for profile in (CALM, LOSSY_WIFI, HOSTILE):
        assert [name for name in DESTRUCTIVE if getattr(profile.faults, name)] == []
    assert all(getattr(HOSTILE.faults, name) for name in TRANSPARENT)


PROFILES = st.builds(
    Profile,
    link=st.builds(
        Link,
        latency=st.sampled_from([0.0, 0.001, 0.3]),
        jitter=st.sampled_from([0.0, 0.01, 1.0]),
        bandwidth=st.sampled_from([None, 100_000, 10_000_000]),
        loss=st.sampled_from([0.0, 0.05, 0.2]),
    ),
    faults=st.builds(
        Faults,
        **{name: st.sampled_from([0.0, 0.1, 0.7] if name != "stall" else [0.0, 0.1]) for name in TRANSPARENT},
    ),
)


@given(PROFILES)
def test_a_profile_can_be_written_down_and_read_back(profile: Profile) -> None:
    assert eval(repr(profile), {"CALM": CALM, "LOSSY_WIFI": LOSSY_WIFI, "HOSTILE": HOSTILE}) == profile


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(), profile=PROFILES, sizes=st.lists(st.integers(0, 150_000), max_size=4))
def test_under_any_transparent_faults_all_bytes_arrive_once_and_in_order(
    seed: int, profile: Profile, sizes: list[int]
) -> None:
    sim, server, client = two_hosts(seed, profile=profile)
    chunks = [bytes([number]) * size for number, size in enumerate(sizes, 65)]
    caller = converse(sim, client, server, chunks)
    assert caller.data == b"".join(chunks)
    assert caller.events == ["made", "eof", "lost"]
    assert caller.error is None


@pytest.mark.parametrize("profile", [CALM, LOSSY_WIFI, HOSTILE], ids=["calm", "lossy wifi", "hostile"])
@pytest.mark.parametrize("seed", range(5))
def test_in_a_ready_made_profile_a_conversation_comes_to_its_end(profile: Profile, seed: int) -> None:
    sim, server, client = two_hosts(seed, profile=profile)
    assert converse(sim, client, server, [b"a" * 300_000, b"b" * 10]).data == b"a" * 300_000 + b"b" * 10
    assert not (profile is CALM and sim.struck)
    assert not (profile is HOSTILE and not sim.struck)


@pytest.mark.parametrize("kind", [*TRANSPARENT, "loss"])
def test_each_fault_can_be_switched_on_alone(kind: str) -> None:
    sim, server, client = two_hosts(profile=CALM.but(**{kind: 0.5}))
    callers = [Caller([b"x" * 200_000]) for _ in range(5)]
    listen(server.reactor, Echo, "10.0.0.1:9000")
    for caller in callers:
        connect(client.reactor, lambda caller=caller: caller, "10.0.0.1:9000")  # type: ignore[misc]
    sim.run(until=lambda: all(caller.is_over for caller in callers))
    assert {caller.data for caller in callers} == {b"x" * 200_000}
    assert {strike.kind.split()[0] for strike in sim.struck} == {kind}


@pytest.mark.parametrize("kind", [kind for kind in TRANSPARENT if kind != "refused_write"])
def test_a_fault_that_strikes_at_each_opportunity_still_lets_a_correct_program_run(kind: str) -> None:
    sim, server, client = two_hosts(profile=CALM.but(**{kind: 1.0}))
    assert converse(sim, client, server, [b"x" * 500]).data == b"x" * 500


def test_conditions_can_change_while_it_runs() -> None:
    sim, server, client = two_hosts()
    assert converse(sim, client, server, [b"x" * 1000]).data == b"x" * 1000
    assert sim.struck == []
    sim.profile = CALM.but(short_read=1.0, latency=5.0)
    begun = sim.time()
    assert converse(sim, client, server, [b"x" * 1000]).data == b"x" * 1000
    assert sim.time() - begun > 15
    assert sim.struck
    sim.profile = CALM
    sim.world.choices.struck.clear()
    converse(sim, client, server, [b"x" * 1000])
    assert sim.struck == []
