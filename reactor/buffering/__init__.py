"""Bytes at rest: what was received and not used yet, what was written and has not left yet.

A non-blocking socket never waits for us, and we never wait for it. So bytes pile up at two places: in front of the
decoder, because the network cut a message in two; and in front of the kernel, because the peer reads more slowly than
we write. `ReceiveBuffer` and `SendBuffer` are these two piles. `WaterMarks` say when a pile is called high,
and a `Budget` bounds the sum of many piles.

Nothing here touches a socket, a clock or a thread: bytes and calls in, bytes and calls out.
"""

from reactor.buffering.budget import Budget
from reactor.buffering.receive_buffer import ReceiveBuffer
from reactor.buffering.send_buffer import SendBuffer
from reactor.buffering.water_marks import WaterMarks

__all__ = ["Budget", "ReceiveBuffer", "SendBuffer", "WaterMarks"]
