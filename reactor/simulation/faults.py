"""What can go wrong, and how often.

A `Link` is the way between two hosts: how long a segment takes, and how many get lost. `Faults` is what the kernels do
to their programs: each field is the probability that one opportunity (one read, one write, one wait) is used for it. A
`Profile` is both together, for a whole simulation.

There are two sorts of faults. Most are *transparent*: reads and writes that do less than asked, readiness that turns
out to be none, lost segments that are sent again. A correct program notices nothing of them but the time they take,
and the ready-made profiles consist of these alone. The others, listed last, end connections or deny resources. They
are off until they are asked for: `HOSTILE.but(reset=0.001)`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace

from reactor.errors import OptionError

__all__ = ["CALM", "HOSTILE", "LOSSY_WIFI", "Faults", "Link", "Profile"]


def _check_probability(name: str, value: object) -> None:
    if not (isinstance(value, int | float) and 0 <= value <= 1):
        raise OptionError(f"{name} is a probability, from 0 to 1, not {value!r}")


def _check_names(what: str, changes: Iterable[str], known: type) -> None:
    unknown = set(changes) - {one.name for one in fields(known)}
    if unknown:
        raise OptionError(f"{what} has no {', '.join(sorted(unknown))}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """The way from one host to another. Raises `OptionError` for a value that cannot be."""

    latency: float = 0.001
    """Seconds from sending to arrival."""
    jitter: float = 0.0
    """Seconds: up to so much longer, evenly distributed. A stream's segments stay in order."""
    bandwidth: float | None = None
    """Bytes per second in each direction; `None`: no limit."""
    loss: float = 0.0
    """The probability that a segment is lost. TCP sends it again after its retransmission timeout."""

    def __post_init__(self) -> None:
        """Check the values."""
        for name in ("latency", "jitter"):
            value = getattr(self, name)
            if not (isinstance(value, int | float) and 0 <= value < float("inf")):
                raise OptionError(f"{name} is a number of seconds, not {value!r}")
        if self.bandwidth is not None and not (isinstance(self.bandwidth, int | float) and self.bandwidth > 0):
            raise OptionError(f"bandwidth is positive, in bytes per second, or None, not {self.bandwidth!r}")
        _check_probability("loss", self.loss)

    def but(self, **changes: float | None) -> Link:
        """The same with some fields changed. Raises `OptionError` for one that it has not."""
        _check_names("Link", changes, Link)
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What a kernel does to its program: the probability of each. Raises `OptionError` for what is none."""

    short_read: float = 0.0
    """`recv` returns only a part of what has arrived."""
    short_write: float = 0.0
    """`send` takes only a part of what it could."""
    refused_write: float = 0.0
    """`send` takes nothing (EAGAIN) although the socket was reported writable."""
    spurious_readiness: float = 0.0
    """The selector reports a descriptor that is not ready (select(2), BUGS)."""
    shuffled_readiness: float = 0.0
    """The selector reports what is ready in another order."""
    stall: float = 0.0
    """A host gets no processor for up to 100 ms."""

    aborted_accept: float = 0.0
    """Not transparent: `accept` fails with ECONNABORTED, and the connection is gone."""
    exhausted: float = 0.0
    """Not transparent: `socket` or `accept` fails with EMFILE, ENFILE or ENOBUFS."""
    reset: float = 0.0
    """Not transparent: instead of a segment both ends get a reset, from something in between."""
    unresolved: float = 0.0
    """Not transparent: a name is not resolved for now (EAI_AGAIN)."""

    def __post_init__(self) -> None:
        """Check the values."""
        for one in fields(self):
            _check_probability(one.name, getattr(self, one.name))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Profile:
    """The conditions of a simulation: every link that is not set by itself, and every kernel."""

    link: Link = field(default_factory=Link)
    """Between any two hosts. A host's loopback takes no time and loses nothing."""
    faults: Faults = field(default_factory=Faults)
    """On every host."""

    def but(self, **changes: float | None) -> Profile:
        """The same with some fields of `link` or `faults` changed: `HOSTILE.but(short_read=0, reset=0.01)`.

        Raises `OptionError` for a name that neither has.
        """
        of_link = {one.name for one in fields(Link)}
        for_link = {name: value for name, value in changes.items() if name in of_link}
        for_faults = {name: value for name, value in changes.items() if name not in of_link}
        _check_names("Faults", for_faults, Faults)
        return Profile(
            link=self.link.but(**for_link),
            faults=replace(self.faults, **for_faults),  # type: ignore[arg-type]
        )


    def __repr__(self) -> str:
        """As one would write it: a ready-made one, but for what is different."""
        candidates = [(name, self._unlike(one)) for name, one in _READY_MADE.items()]
        name, changes = min(candidates, key=lambda candidate: len(candidate[1]))
        but = ", ".join(f"{field}={value!r}" for field, value in changes.items())
        return f"{name}.but({but})" if changes else name

    def _unlike(self, other: Profile) -> dict[str, object]:
        pairs = ((self.link, other.link), (self.faults, other.faults))
        return {
            one.name: getattr(mine, one.name)
            for mine, theirs in pairs
            for one in fields(mine)
            if getattr(mine, one.name) != getattr(theirs, one.name)
        }


CALM = Profile()
"""A quiet local network: a millisecond from host to host, and every call does all that it is asked for."""

LOSSY_WIFI = Profile(
    link=Link(latency=0.004, jitter=0.02, bandwidth=2_500_000, loss=0.03),
    faults=Faults(short_read=0.02, short_write=0.02),
)
"""Twenty megabits with jitter, where three segments in a hundred have to be sent again."""

HOSTILE = Profile(
    link=Link(latency=0.01, jitter=0.05, bandwidth=5_000_000, loss=0.05),
    faults=Faults(
        short_read=0.3,
        short_write=0.3,
        refused_write=0.1,
        spurious_readiness=0.2,
        shuffled_readiness=0.5,
        stall=0.02,
    ),
)
"""Everything that a kernel and a network may do to a correct program without breaking a promise."""

_READY_MADE = {"CALM": CALM, "LOSSY_WIFI": LOSSY_WIFI, "HOSTILE": HOSTILE}
