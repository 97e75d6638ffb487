"""What the key-value server of `examples.key_value` can do: a table of commands.

The lesson: a command is a plain function. It gets the client and the arguments, returns the answer as a value, and
raises what is wrong. It neither reads nor writes a byte and waits for nothing; so no other client can come in between,
and there is no lock. `@command` puts it into the table, with the number of arguments that it takes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from examples.key_value_data import MOST_MEMORY, CommandError
from reactor import RespStatus, RespValue

if TYPE_CHECKING:
    from examples.key_value import Client

OK = RespStatus(b"OK")
PONG = RespStatus(b"PONG")
ANY = 1_000_000  # arguments: more than a frame can have
MOST_CHANNELS = 1000  # of one client
INTEGER = re.compile(rb"0|-?[1-9][0-9]{0,18}")
VERSION = b"7.0.0"  # of Redis, whose commands these are
SETTINGS = {b"appendonly": b"no", b"maxmemory": b"%d" % MOST_MEMORY, b"save": b""}


class Command(NamedTuple):
    run: Callable[..., RespValue]
    least: int  # arguments
    most: int
    while_subscribed: bool


COMMANDS: dict[bytes, Command] = {}
F = TypeVar("F", bound=Callable[..., RespValue])


def command(name: bytes, least: int, most: int | None = None, *, while_subscribed: bool = False) -> Callable[[F], F]:
    """The function below is this command, with `least` to `most` arguments; by default exactly `least`."""

    def register(function: F) -> F:
        COMMANDS[name] = Command(function, least, least if most is None else most, while_subscribed)
        return function

    return register


# --- Strings ----------------------------------------------------------------------------------------------------------


@command(b"GET", 1)
def get(client: Client, key: bytes) -> RespValue:
    return client.database.get(key)


@command(b"SET", 2, ANY)
def set_(client: Client, key: bytes, value: bytes, *options: bytes) -> RespValue:
    database = client.database
    database.check_memory()
    condition, seconds = read_set_options(options) if options else (b"", None)
    if condition and (condition == b"NX") == (database.get(key) is not None):
        return None
    database.put(key, value)
    database.expire(key, None if seconds is None else database.time() + seconds)
    return OK


def read_set_options(options: tuple[bytes, ...]) -> tuple[bytes, float | None]:
    condition = unit = b""
    amount: bytes | None = None
    rest = iter(options)
    for option in map(bytes.upper, rest):
        if option in (b"NX", b"XX") and condition in (b"", option):
            condition = option
        elif option in (b"EX", b"PX") and unit in (b"", option):
            unit, amount = option, next(rest, None)
        else:
            raise CommandError("ERR syntax error")
    if not unit:
        return condition, None
    if amount is None:
        raise CommandError("ERR syntax error")
    seconds = integer(amount) / (1 if unit == b"EX" else 1000)
    if not 0 < seconds < 2**53:
        raise CommandError("ERR invalid expire time in 'set' command")
    return condition, seconds


@command(b"MGET", 1, ANY)
def mget(client: Client, *keys: bytes) -> RespValue:
    return [client.database.get(key) for key in keys]


@command(b"MSET", 2, ANY)
def mset(client: Client, *pairs: bytes) -> RespValue:
    if len(pairs) % 2:
        raise wrong_number("mset")
    client.database.check_memory()
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        client.database.put(key, value)
        client.database.expire(key, None)
    return OK


@command(b"INCR", 1)
def incr(client: Client, key: bytes) -> RespValue:
    return add(client, key, 1)


@command(b"DECR", 1)
def decr(client: Client, key: bytes) -> RespValue:
    return add(client, key, -1)


@command(b"INCRBY", 2)
def incrby(client: Client, key: bytes, amount: bytes) -> RespValue:
    return add(client, key, integer(amount))


@command(b"DECRBY", 2)
def decrby(client: Client, key: bytes, amount: bytes) -> RespValue:
    return add(client, key, -integer(amount))


def add(client: Client, key: bytes, amount: int) -> int:
    client.database.check_memory()
    value = client.database.get(key)
    result = amount + (0 if value is None else integer(value))
    if not -(2**63) <= result < 2**63:
        raise CommandError("ERR increment or decrement would overflow")
    client.database.put(key, b"%d" % result)
    return result


# --- Keys -------------------------------------------------------------------------------------------------------------


@command(b"DEL", 1, ANY)
def delete(client: Client, *keys: bytes) -> RespValue:
    found = [key for key in dict.fromkeys(keys) if client.database.get(key) is not None]
    for key in found:
        client.database.delete(key)
    return len(found)


@command(b"EXISTS", 1, ANY)
def exists(client: Client, *keys: bytes) -> RespValue:
    return sum(client.database.get(key) is not None for key in keys)


@command(b"EXPIRE", 2)
def expire(client: Client, key: bytes, amount: bytes) -> RespValue:
    seconds = integer(amount)
    if not -(2**53) < seconds < 2**53:
        raise CommandError("ERR invalid expire time in 'expire' command")
    if client.database.get(key) is None:
        return 0
    client.database.expire(key, client.database.time() + seconds)
    return 1


@command(b"TTL", 1)
def ttl(client: Client, key: bytes) -> RespValue:
    if client.database.get(key) is None:
        return -2
    when = client.database.expiries.get(key)
    return -1 if when is None else int(when - client.database.time() + 0.5)


# --- Publish and subscribe --------------------------------------------------------------------------------------------


@command(b"PUBLISH", 2)
def publish(client: Client, channel: bytes, message: bytes) -> RespValue:
    return client.database.publish(channel, client.codec.encode([b"message", channel, message]))  # encoded once


@command(b"SUBSCRIBE", 1, ANY, while_subscribed=True)
def subscribe(client: Client, *channels: bytes) -> RespValue:
    if len(client.channels | dict.fromkeys(channels)) > MOST_CHANNELS:
        raise CommandError(f"ERR more than {MOST_CHANNELS} channels")
    answers: list[RespValue] = []
    for channel in channels:
        client.channels[channel] = None
        client.database.join(channel, client)
        answers.append([b"subscribe", channel, len(client.channels)])
    return all_but_the_last_sent(client, answers)


@command(b"UNSUBSCRIBE", 0, ANY, while_subscribed=True)
def unsubscribe(client: Client, *channels: bytes) -> RespValue:
    answers: list[RespValue] = []
    for channel in channels or list(client.channels):
        if channel in client.channels:
            del client.channels[channel]
            client.database.leave(channel, client)
        answers.append([b"unsubscribe", channel, len(client.channels)])
    return all_but_the_last_sent(client, answers or [[b"unsubscribe", None, 0]])


def all_but_the_last_sent(client: Client, answers: list[RespValue]) -> RespValue:
    """For a command that has an answer for each argument."""
    for answer in answers[:-1]:
        client.send(answer)
    return answers[-1]


# --- The server -------------------------------------------------------------------------------------------------------


@command(b"PING", 0, 1, while_subscribed=True)
def ping(client: Client, *text: bytes) -> RespValue:
    if client.channels:
        return [b"pong", *(text or [b""])]
    return text[0] if text else PONG


@command(b"ECHO", 1)
def echo(client: Client, text: bytes) -> RespValue:
    return text


@command(b"HELLO", 0, ANY)
def hello(client: Client, version: bytes = b"2", *ignored: bytes) -> RespValue:
    if version != b"2":
        raise CommandError("NOPROTO unsupported protocol version")
    return [b"server", b"redis", b"version", VERSION, b"proto", 2, b"mode", b"standalone", b"role", b"master"]


@command(b"QUIT", 0, ANY, while_subscribed=True)
def quit_(client: Client, *ignored: bytes) -> RespValue:
    client.send(OK)
    client.close()
    return OK  # which is ignored after close()


@command(b"INFO", 0, ANY)
def info(client: Client, *sections: bytes) -> RespValue:
    database = client.database
    known = {
        "server": f"redis_version:{VERSION.decode()}\r\nredis_mode:standalone\r\n",
        "memory": f"used_memory:{database.memory}\r\nmaxmemory:{MOST_MEMORY}\r\n",
        "stats": f"pubsub_channels:{len(database.channels)}\r\n",
        "keyspace": f"db0:keys={len(database.values)},expires={len(database.expiries)},avg_ttl=0\r\n",
    }
    wanted = {section.lower().decode(errors="replace") for section in sections} or {"all"}
    shown = [name for name in known if wanted & {name, "all", "default", "everything"}]
    return "\r\n".join(f"# {name.capitalize()}\r\n{known[name]}" for name in shown).encode()


@command(b"COMMAND", 0, ANY)
def command_(client: Client, *arguments: bytes) -> RespValue:
    """What clients ask to help people with typing. They can do without."""
    kind = arguments[0].upper() if arguments else b""
    if kind == b"COUNT":
        return len(COMMANDS)
    if kind in (b"", b"DOCS", b"INFO", b"LIST"):
        return []
    raise unknown_subcommand("COMMAND", arguments[0])


@command(b"CONFIG", 1, ANY)
def config(client: Client, subcommand: bytes, *patterns: bytes) -> RespValue:
    if subcommand.upper() != b"GET":
        raise unknown_subcommand("CONFIG", subcommand)
    if not patterns:
        raise wrong_number("config|get")
    found = [name for name in SETTINGS if any(fnmatchcase(name, pattern.lower()) for pattern in patterns)]
    return [text for name in found for text in (name, SETTINGS[name])]


# --- What can be wrong with any of them -------------------------------------------------------------------------------


def integer(text: bytes) -> int:
    if not INTEGER.fullmatch(text) or not -(2**63) <= int(text) < 2**63:
        raise CommandError("ERR value is not an integer or out of range")
    return int(text)


def wrong_number(name: str) -> CommandError:
    return CommandError(f"ERR wrong number of arguments for '{name}' command")


def unknown_subcommand(name: str, given: bytes) -> CommandError:
    return CommandError(f"ERR unknown subcommand '{printable(given)}'. Try {name} HELP.")


def unknown_command(name: bytes, arguments: list[bytes]) -> CommandError:
    said = "".join(f"'{printable(argument)}' " for argument in arguments)
    return CommandError(f"ERR unknown command '{printable(name)}', with args beginning with: {said[:128]}")


def printable(text: bytes) -> str:
    """An error is one line."""
    return text[:128].decode(errors="replace").replace("\r", " ").replace("\n", " ")
