"""A bound on the sum: how many bytes all the buffers that share one `Budget` may hold together.

A bound per connection is not a bound. Ten thousand connections that may each hold 16 MiB may hold 160 GiB, and the
kernel answers that by killing the process. A `Budget` is one number shared by as many buffers as one likes: each buffer
tells it of every change of its own size, in the same method that changes that size, so the two cannot drift apart.

A buffer that would push the sum past the limit is refused, and nothing has changed then: not the buffer, not the
budget. A budget does not choose a victim, does not wait for room, and does not know who holds what; the owner of the
refused buffer decides what becomes of its connection.
"""

from __future__ import annotations

from reactor.buffering.sizes import check_size
from reactor.errors import BudgetExceededError, MisuseError

__all__ = ["Budget"]


class Budget:
    """The bytes that many buffers may hold together.

    `limit` is the bound in bytes. Raises `OptionError` if it is below 1.
    """

    __slots__ = ("limit", "used")

    limit: int
    """The bound, in bytes."""

    used: int
    """The bytes held now by everything that shares this budget."""

    def __init__(self, limit: int) -> None:
        check_size("the limit of a budget", limit, 1)
        self.limit = limit
        self.used = 0

    def __repr__(self) -> str:
        return f"<Budget {self.used} of {self.limit} bytes used>"

    def change(self, delta: int) -> None:
        """Take `delta` bytes from the budget, or give `-delta` bytes back if it is negative.

        Raises `BudgetExceededError` if the sum would pass the limit, and `MisuseError` if more is given back than was
        taken. In both cases nothing has changed.
        """
        used = self.used + delta
        if used > self.limit and delta > 0:
            raise BudgetExceededError(f"{used} bytes would be held, the budget's limit is {self.limit} bytes")
        if used < 0:
            raise MisuseError(f"{-delta} bytes are given back to a budget from which only {self.used} were taken")
        self.used = used
