"""The commands of publish and subscribe.

The lesson: here the server talks without being asked. A message goes to all who listen at this moment, encoded once,
however many they are, and it is kept for nobody: not for those who come later, and not for those who are too slow. The
answer to PUBLISH says how many it went to, and not that they have read it.

For whoever listens, answers and messages come in one stream. So a subscriber may give only a few commands, whose
answers look like messages, until it has left its last channel.
"""

from __future__ import annotations

from examples.key_value.client import Client
from examples.key_value.commands import table
from reactor import RespValue


def publish(client: Client, channel: bytes, message: bytes) -> RespValue:
    return client.database.publish(channel, client.codec.encode([b"message", channel, message]))


def subscribe(client: Client, channel: bytes, *channels: bytes) -> RespValue:
    client.database.check_memory()
    answers: list[RespValue] = []
    for each in (channel, *channels):
        if each not in client.channels:
            client.channels[each] = None
            client.database.join(each, client)
        answers.append([b"subscribe", each, len(client.channels)])
    return all_but_the_last_sent(client, answers)


def unsubscribe(client: Client, *channels: bytes) -> RespValue:
    """From all, if none is named."""
    answers: list[RespValue] = []
    for each in channels or list(client.channels):
        if each in client.channels:
            del client.channels[each]
            client.database.leave(each, client)
        answers.append([b"unsubscribe", each, len(client.channels)])
    return all_but_the_last_sent(client, answers or [[b"unsubscribe", None, 0]])


def all_but_the_last_sent(client: Client, answers: list[RespValue]) -> RespValue:
    """These two commands have an answer for each argument."""
    for answer in answers[:-1]:
        client.send(answer)
    return answers[-1]


COMMANDS = table(publish) | table(subscribe, unsubscribe, while_subscribed=True)
