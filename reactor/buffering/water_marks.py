"""When a pile of unsent bytes is called high, and when it is called low again.

A protocol that writes faster than its peer reads must be asked to pause, and later be told to go on. With one
threshold it would be asked and told again for every few bytes that leave. Two marks make that rare: above the *high*
mark the writer is asked to pause, and it is told to go on only when the pile has fallen to the *low* mark. In between
nothing changes; the pile drains in peace.

Marks are a request, not a bound: a protocol may ignore them. What happens to one that does is the business of the hard
limit, which is kept elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from reactor.buffering.sizes import check_size
from reactor.errors import OptionError

__all__ = ["WaterMarks"]

DEFAULT_HIGH = 64 * 1024


@dataclass(frozen=True, slots=True)
class WaterMarks:
    """A pair of thresholds, in bytes: pause above `high`, go on at or below `low`.

    Raises `OptionError` unless `0 <= low <= high`. With both at zero a writer is asked to pause as soon as anything
    has to wait, and told to go on when nothing does.
    """

    high: int
    low: int

    def __post_init__(self) -> None:
        check_size("the high-water mark", self.high)
        check_size("the low-water mark", self.low)
        if not 0 <= self.low <= self.high:
            raise OptionError(f"water marks need 0 <= low <= high, not low={self.low}, high={self.high} (bytes)")

    @classmethod
    def from_either(
        cls, high: int | None = None, low: int | None = None, *, default_high: int = DEFAULT_HIGH
    ) -> WaterMarks:
        """Fill in the mark that is not given, as asyncio's `WriteTransport.set_write_buffer_limits` does.

        A missing `high` is four times `low`, or `default_high` if `low` is missing too; a missing `low` is a quarter
        of `high`. All are bytes. Raises `OptionError` as the constructor does.
        """
        if high is None:
            high = default_high if low is None else 4 * low
        if low is None:
            low = high // 4
        return cls(high, low)
