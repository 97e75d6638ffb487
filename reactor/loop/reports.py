"""Where errors of callbacks go: they never end the loop, and they never vanish.

A context is a dict, as in asyncio: `"message"`, mostly `"exception"`, and what helps to find the place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["report"]


def report(handler: Callable[[dict[str, Any]], object] | None, context: dict[str, Any]) -> None:
    """Give `context` to `handler`, or write it to the log `"reactor"` if there is none, or if that fails."""
    if handler is not None:
        try:
            handler(context)
            return
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as exc:
            _log(context)
            context = {"message": "the exception handler raised", "exception": exc}
    _log(context)


_SAID_ALREADY = ("message", "exception")


def _log(context: dict[str, Any]) -> None:
    import logging  # noqa: PLC0415 - most programs never get here, and it costs a third of the import

    details = "".join(f"\n  {key}: {_show(value)}" for key, value in context.items() if key not in _SAID_ALREADY)
    message = context.get("message", "unhandled error")
    logging.getLogger("reactor").error("%s%s", message, details, exc_info=context.get("exception"))


def _show(value: object) -> str:
    try:
        return repr(value)
    except Exception as exc:  # a bound method's repr() is its object's, and that may be what is broken
        return f"{type(value).__name__} whose repr() raises {type(exc).__name__}"
