"""What a command is.

The lesson: a plain function. It gets the client and the arguments of the request, returns the answer as a value, or
raises what is wrong. Its name is the command's, and its parameters say how many arguments there may be. It writes no
bytes and waits for nothing; so no other client comes in between, and what takes a lock elsewhere takes none here.

And it is short. While it runs, everybody else waits, so there is no command here that goes through all keys.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from inspect import signature
from typing import NamedTuple

from reactor import RespError, RespStatus, RespValue

OK = RespStatus(b"OK")
ANY = 1_000_000  # arguments: more than a frame can have
INTEGER = re.compile(rb"0|-?[1-9][0-9]{0,18}")
ONE_LINE = bytes.maketrans(b"\r\n", b"  ")


class Command(NamedTuple):
    run: Callable[..., RespValue]
    least: int  # arguments
    most: int
    while_subscribed: bool  # whether somebody who listens to channels may give it


def table(*functions: Callable[..., RespValue], while_subscribed: bool = False) -> dict[bytes, Command]:
    """These functions as commands, by name. `set_` is SET, for there is a `set` in Python."""
    commands = {}
    for function in functions:
        _client, *parameters = signature(function).parameters.values()
        several = [parameter for parameter in parameters if parameter.kind is parameter.VAR_POSITIONAL]
        optional = [parameter for parameter in parameters if parameter.default is not parameter.empty]
        least = len(parameters) - len(several) - len(optional)
        name = function.__name__.strip("_").upper().encode()
        commands[name] = Command(function, least, ANY if several else len(parameters), while_subscribed)
    return commands


class CommandError(Exception):
    """What a client is told instead of an answer, in Redis' own words. Nothing has changed then."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self.answer = RespError(text.translate(ONE_LINE))


def wrong_number(name: bytes) -> CommandError:
    return CommandError(b"ERR wrong number of arguments for '%b' command" % name)


def unknown_command(name: bytes, arguments: list[bytes]) -> CommandError:
    said = b""
    for argument in arguments:
        if len(said) < 128:
            said += b"'%.*b' " % (128 - len(said), argument)
    return CommandError(b"ERR unknown command '%.128b', with args beginning with: %b" % (name, said))


def unknown_subcommand(name: bytes, given: bytes) -> CommandError:
    return CommandError(b"ERR unknown subcommand '%.128b'. Try %b HELP." % (given, name))


def integer(text: bytes) -> int:
    """The 64-bit integer that is written there."""
    if not INTEGER.fullmatch(text) or not -(2**63) <= int(text) < 2**63:
        raise CommandError(b"ERR value is not an integer or out of range")
    return int(text)
