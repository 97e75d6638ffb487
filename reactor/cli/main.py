"""The commands, their options, and what becomes of the ways in which they can end.

The exit status is the program's answer to a script: 0 for success, 1 for a failure, 2 for a request that cannot be (as
`argparse` has it), 130 after Ctrl-C (128 and the number of SIGINT, as shells have it). None of them is a traceback.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from reactor.cli.demo import MOST_TRACED, Unable, run_demo

__all__ = ["main"]

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line (`arguments`, or `sys.argv`) asks for, and return the exit status."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    if asked.command is None:
        parser.print_help()
        return 0
    try:
        return run_demo(asked.clients, asked.messages, trace=asked.trace)
    except Unable as exc:
        print(f"python3 -m reactor demo: {exc}", file=sys.stderr)
        return 2
    except OSError as exc:  # the machine has no loopback interface, no descriptor, no memory left
        print(f"python3 -m reactor demo: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


class _OneLineParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (--help shows what there is)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _OneLineParser(prog="python3 -m reactor", description="reactor: one thread, one loop, every client.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    demo = commands.add_parser(
        "demo",
        help="a server and a thousand clients exchange messages, in one thread",
        description="A server and its clients, in one thread and on real sockets of this machine, exchange messages in "
        "both directions. Every byte is checked; the exit status is 0 only if everything arrived.",
    )
    demo.add_argument(
        "--clients", type=_positive, metavar="N", help="how many clients (default: 1000, with --trace 2)"
    )
    demo.add_argument(
        "--messages", type=_positive, metavar="M", help="how many requests of each client (default: 20, with --trace 2)"
    )
    demo.add_argument(
        "--trace", action="store_true", help=f"print every system call on a socket (for up to {MOST_TRACED} clients)"
    )
    return parser


def _positive(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 up")
