"""From bytes to frames and back: one codec a file, all under the contract of `codec.py`.

Read `codec.py` first; then `fixed.py`, which is the simplest. `lines.py` is the one that most people use, and
`announced.py` has what the formats share that say their length first.

    LineCodec               lines, ended by a delimiter or one of several
    FixedLengthCodec        frames of one length
    LengthPrefixedCodec     a binary length of 1, 2, 3, 4 or 8 bytes, then the frame
    VarintCodec             the length as a base 128 varint, then the frame (Protocol Buffers)
    NetstringCodec          `5:hello,`
    RespCodec               the values of Redis and its clients

Nothing here touches a socket, a clock or a thread.
"""

from reactor.framing.codec import Codec, Decoder, Oversize
from reactor.framing.fixed import FixedLengthCodec
from reactor.framing.length_prefixed import LengthPrefixedCodec
from reactor.framing.lines import LineCodec
from reactor.framing.netstring import NetstringCodec
from reactor.framing.resp import RespCodec, RespError, RespStatus, RespValue
from reactor.framing.varint import VarintCodec

__all__ = [
    "Codec",
    "Decoder",
    "FixedLengthCodec",
    "LengthPrefixedCodec",
    "LineCodec",
    "NetstringCodec",
    "Oversize",
    "RespCodec",
    "RespError",
    "RespStatus",
    "RespValue",
    "VarintCodec",
]
