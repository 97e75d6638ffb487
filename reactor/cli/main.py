"""The commands, their options, and what becomes of the ways in which they can end.

The exit status is the program's answer to a script: 0 for success, 1 for a failure, 2 for a request that cannot be (as
`argparse` has it), 130 after Ctrl-C (128 and the number of SIGINT, as shells have it). None of them is a traceback.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import NoReturn

from reactor.cli.demo import MOST_TRACED, Unable, run_demo
from reactor.cli.relay import run_connect, run_listen
from reactor.cli.screen import complain
from reactor.errors import OptionError

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
        run: Callable[[argparse.Namespace], int] = asked.run
        return run(asked)
    except (Unable, OptionError) as exc:
        complain(f"{parser.prog} {asked.command}: {exc}")
        return 2
    except OSError as exc:  # nobody has that name, somebody has that port, or there are no descriptors left
        complain(f"{parser.prog} {asked.command}: {exc.strerror or exc}")
        return 1
    except KeyboardInterrupt:
        complain("interrupted")
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
    demo.set_defaults(run=lambda asked: run_demo(asked.clients, asked.messages, trace=asked.trace))

    listening = commands.add_parser(
        "listen",
        help="exchange data between standard input and output and a peer that connects",
        description="Wait for a peer. What it sends goes to standard output, and standard input goes to it, until both "
        "have ended. Port 0 is a free one; where it listens is said on standard error.",
    )
    listening.add_argument(
        "--keep",
        action="store_true",
        help="serve one peer after another: it is the next one's turn when a peer has ended and was sent what input "
        "there is",
    )
    listening.set_defaults(run=lambda asked: run_listen(asked.address, keep=asked.keep, progress=asked.progress))
    connecting = commands.add_parser(
        "connect",
        help="exchange data between standard input and output and a peer that listens",
        description="Connect to a peer. Standard input goes to it, and what it sends goes to standard output, until "
        "both have ended.",
    )
    connecting.set_defaults(run=lambda asked: run_connect(asked.address, progress=asked.progress))
    for command, nowhere in ((listening, "every address of this machine"), (connecting, "this machine")):
        command.add_argument("address", metavar="ADDRESS", help=f"HOST:PORT, [IPV6]:PORT, or :PORT for {nowhere}")
        command.add_argument(
            "--progress", action="store_true", help="show bytes and rate each way, if standard error is a terminal"
        )
    return parser


def _positive(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 up")
