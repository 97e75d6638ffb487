"""Two kinds of output: lines that stay, and one line that changes while something runs.

What stays goes to the standard output, where a file or a pipe may take it. The changing line is for a person who
waits, so it goes to the standard error, and only if that is a terminal.
"""

from __future__ import annotations

import os
import shutil
import sys

__all__ = ["Screen", "complain"]

_CLEAR = "\r\x1b[K"  # back to the beginning of the line, and erase it (ECMA-48)


def complain(line: str) -> None:
    """Print a line on the standard error. If there is none (`2>&-`), or nobody reads it, nothing is to be done."""
    if sys.stderr is not None:
        try:
            print(line, file=sys.stderr, flush=True)
        except OSError:
            pass


class Screen:
    """Where the demo speaks."""

    def __init__(self) -> None:
        self.is_watched = sys.stderr is not None and sys.stderr.isatty()
        """Whether `progress` shows anything."""

    def say(self, line: str = "") -> None:
        """Print a line that stays."""
        self.clear()
        try:
            print(line, flush=True)
        except BrokenPipeError:  # `| head` has had enough; nobody hears the rest
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def progress(self, line: str) -> None:
        """Show this in place of the progress shown before."""
        if self.is_watched:
            width = shutil.get_terminal_size().columns - 1  # a line that is broken cannot be taken back
            print(_CLEAR + line[:width], end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the progress away."""
        self.progress("")
