"""The commands about the connection and the server itself.

The lesson: programs ask before they work. A client wants to know whether anybody is there (PING), which version of the
protocol is spoken (HELLO), and what commands there are (COMMAND); a benchmark, whether values are written to disk
(CONFIG GET); a monitor, how much memory is taken (INFO). They can do with little. What is not known here is refused in
Redis' own words, because these are what they understand.

And some do not know whom they talk to. Any page that is open in a browser on this machine may send an HTTP request here
with commands in its body, and the lines above them would only be answered with errors. So POST, which begins such a
request, and Host:, which no request of HTTP/1.1 can be without, end the connection, as they do with Redis.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from examples.key_value import database
from examples.key_value.client import Client
from examples.key_value.commands import (
    ANY,
    OK,
    Command,
    CommandError,
    integer,
    table,
    unknown_subcommand,
    wrong_number,
)
from reactor import RespStatus, RespValue

PONG = RespStatus(b"PONG")
VERSION = b"7.0.0"  # of Redis, whose commands these are


def ping(client: Client, text: bytes | None = None) -> RespValue:
    if client.channels:
        return [b"pong", text or b""]
    return PONG if text is None else text


def echo(client: Client, text: bytes) -> RespValue:
    return text


def hello(client: Client, version: bytes = b"2", *options: bytes) -> RespValue:
    """HELLO [2 [AUTH name password] [SETNAME name]]"""
    try:
        integer(version)
    except CommandError:
        raise CommandError(b"ERR Protocol version is not an integer or out of range") from None
    if version != b"2":
        raise CommandError(b"NOPROTO unsupported protocol version")
    check_hello_options(options)
    return [b"server", b"redis", b"version", VERSION, b"proto", 2, b"mode", b"standalone", b"role", b"master"]


def check_hello_options(options: tuple[bytes, ...]) -> None:
    """There is one user, `default`, who needs no password, so that any will do; a client's name is forgotten."""
    rest = list(reversed(options))
    while rest:
        option = rest.pop()
        if option.upper() == b"AUTH" and len(rest) >= 2:
            user, _password = rest.pop(), rest.pop()
            if user != b"default":
                raise CommandError(b"WRONGPASS invalid username-password pair or user is disabled.")
        elif option.upper() == b"SETNAME" and rest:
            if re.search(rb"[^!-~]", rest.pop()):
                raise CommandError(b"ERR Client names cannot contain spaces, newlines or special characters.")
        else:
            raise CommandError(b"ERR Syntax error in HELLO option '%b'" % option)


def hang_up(client: Client, *ignored: bytes) -> RespValue:
    client.close()
    return None  # nothing is sent after close()


def quit_(client: Client, *ignored: bytes) -> RespValue:
    client.send(OK)
    client.close()
    return None  # nothing is sent after close()


def info(client: Client, *sections: bytes) -> RespValue:
    data = client.database
    known = {
        b"server": b"redis_version:%b\r\nredis_mode:standalone\r\n" % VERSION,
        b"memory": b"used_memory:%d\r\nmaxmemory:%d\r\n" % (data.memory, database.MOST_MEMORY),
        b"stats": b"pubsub_channels:%d\r\n" % len(data.listeners),
        b"keyspace": b"db0:keys=%d,expires=%d,avg_ttl=0\r\n" % (len(data.values), len(data.expiries)),
    }
    wanted = {section.lower() for section in sections} or {b"all"}
    shown = [name for name in known if wanted & {name, b"all", b"default", b"everything"}]
    return b"\r\n".join(b"# %b\r\n%b" % (name.capitalize(), known[name]) for name in shown)


def command(client: Client, kind: bytes | None = None, *names: bytes) -> RespValue:
    """What clients ask to help people with typing: they have their own knowledge to fall back on."""
    if kind is None:
        return []
    if kind.upper() == b"COUNT":
        return len(client.commands)
    raise unknown_subcommand(b"COMMAND", kind)


def config(client: Client, kind: bytes, *patterns: bytes) -> RespValue:
    if kind.upper() != b"GET":
        raise unknown_subcommand(b"CONFIG", kind)
    if not patterns:
        raise wrong_number(b"config|get")
    settings = {b"appendonly": b"no", b"maxmemory": b"%d" % database.MOST_MEMORY, b"save": b""}
    found = [name for name in settings if any(fnmatchcase(name, pattern.lower()) for pattern in patterns)]
    return [text for name in found for text in (name, settings[name])]


COMMANDS = table(echo, hello, info, command, config) | table(ping, quit_, while_subscribed=True)
COMMANDS |= dict.fromkeys((b"POST", b"HOST:"), Command(hang_up, 0, ANY, while_subscribed=True))
