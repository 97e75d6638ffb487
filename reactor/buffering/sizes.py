"""What a size in bytes may be: a whole number, and not below its least value.

A size that is none would be found out only when the first peer comes, by an error that names nothing.
"""

from __future__ import annotations

from reactor.errors import OptionError

__all__ = ["check_size"]


def check_size(name: str, value: object, least: int = 0) -> None:
    """Raise `OptionError`, naming the option, unless `value` is an `int` of at least `least` (bytes)."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise OptionError(f"{name} is a number of bytes, not {value!r}")
    if value < least:
        raise OptionError(f"{name} is at least {least}, not {value}")
