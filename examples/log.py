"""One line for whoever watches an example: on the standard output, if that can be.

The lesson: `print` fails when the reader is gone (`| head`), when the disk is full, and when the encoding lacks a
letter. Inside a callback that is a connection's failure, and whoever is connected is thrown out because of a log.
One thing is not answered here: a reader that stays and does not read (`| less`) makes `print` wait, and all with it.
"""

from __future__ import annotations

import os
import sys


def log(line: str) -> None:
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"  # there is no stdout at all after `>&-`
    try:
        print(line.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except BrokenPipeError:  # for good; and what is in the buffer must not fail once more at the program's end
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
    except OSError:
        pass  # perhaps there is room for the next line
