"""The commands that read and write values.

The lesson: INCR reads, adds and writes, and a thousand clients may count with the same key. No count is lost, though
nothing is locked, for a command ends before the next one begins. Programs that agree on a lock with SET NX EX rely on
the same.

What can fail is looked at before anything is changed, so that whoever gets an error finds everything as it was.
"""

from __future__ import annotations

from examples.key_value.client import Client
from examples.key_value.commands import OK, CommandError, integer, table, wrong_number
from reactor import RespValue

LONGEST = 2**63 - 2**41  # milliseconds: in Redis the end is a time of day in 64 bits, and 2**41 is in the year 2039

def get(client: Client, key: bytes) -> RespValue:
    return client.database.get(key)


def set_(client: Client, key: bytes, value: bytes, *options: bytes) -> RespValue:
    """SET key value [NX | XX] [EX seconds | PX milliseconds]"""
    database = client.database
    database.check_memory()
    condition, lasts = read_set_options(options) if options else (b"", None)
    if condition and (condition == b"NX") == (database.get(key) is not None):
        return None
    database.put(key, value)
    database.expire(key, lasts)
    return OK


def read_set_options(options: tuple[bytes, ...]) -> tuple[bytes, int | None]:
    """NX, XX or nothing, and milliseconds. An option may come twice, and the other one of its kind not at all."""
    condition = unit = b""
    amount: bytes | None = None
    rest = iter(options)
    for option in map(bytes.upper, rest):
        if option in (b"NX", b"XX") and condition in (b"", option):
            condition = option
        elif option in (b"EX", b"PX") and unit in (b"", option):
            unit, amount = option, next(rest, None)
        else:
            raise CommandError(b"ERR syntax error")
    if not unit:
        return condition, None
    if amount is None:
        raise CommandError(b"ERR syntax error")
    lasts = read_time(b"set", amount, 1000 if unit == b"EX" else 1)
    if lasts <= 0:
        raise CommandError(b"ERR invalid expire time in 'set' command")
    return condition, lasts


def read_time(command: bytes, amount: bytes, unit: int) -> int:
    """Milliseconds from a number of units."""
    time = integer(amount) * unit
    if not -(2**63) <= time <= LONGEST:
        raise CommandError(b"ERR invalid expire time in '%b' command" % command)
    return time


def mget(client: Client, key: bytes, *keys: bytes) -> RespValue:
    return [client.database.get(each) for each in (key, *keys)]


def mset(client: Client, key: bytes, value: bytes, *pairs: bytes) -> RespValue:
    if len(pairs) % 2:
        raise wrong_number(b"mset")
    client.database.check_memory()
    pairs = (key, value, *pairs)
    for each, its_value in zip(pairs[::2], pairs[1::2], strict=True):
        client.database.put(each, its_value)
        client.database.expire(each, None)
    return OK


def incr(client: Client, key: bytes) -> RespValue:
    return add(client, key, 1)


def decr(client: Client, key: bytes) -> RespValue:
    return add(client, key, -1)


def incrby(client: Client, key: bytes, amount: bytes) -> RespValue:
    return add(client, key, integer(amount))


def decrby(client: Client, key: bytes, amount: bytes) -> RespValue:
    if integer(amount) == -(2**63):  # which has no opposite in 64 bits
        raise CommandError(b"ERR decrement would overflow")
    return add(client, key, -integer(amount))


def add(client: Client, key: bytes, amount: int) -> int:
    client.database.check_memory()
    value = client.database.get(key)
    result = amount + (0 if value is None else integer(value))
    if not -(2**63) <= result < 2**63:
        raise CommandError(b"ERR increment or decrement would overflow")
    client.database.put(key, b"%d" % result)
    return result


def del_(client: Client, key: bytes, *keys: bytes) -> RespValue:
    found = {each for each in (key, *keys) if client.database.get(each) is not None}
    for each in found:
        client.database.delete(each)
    return len(found)


def exists(client: Client, key: bytes, *keys: bytes) -> RespValue:
    return sum(client.database.get(each) is not None for each in (key, *keys))


def expire(client: Client, key: bytes, seconds: bytes) -> RespValue:
    lasts = read_time(b"expire", seconds, 1000)
    if client.database.get(key) is None:
        return 0
    client.database.expire(key, lasts)
    return 1


def ttl(client: Client, key: bytes) -> RespValue:
    if client.database.get(key) is None:
        return -2
    left = client.database.left(key)
    return -1 if left is None else (left + 500) // 1000


COMMANDS = table(get, set_, mget, mset, incr, decr, incrby, decrby, del_, exists, expire, ttl)
