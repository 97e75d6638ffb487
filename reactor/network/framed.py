"""Frames instead of bytes: what most protocols are really about.

TCP carries a stream. It knows no messages: what was one `write` may arrive as three reads, and three writes as one.
A `FramedProtocol` puts a codec between the bytes and you:

    class Shout(FramedProtocol):
        codec = LineCodec(max_length=4096)

        def frame_received(self, line):
            self.send(line.upper())

One read can hold hundreds of thousands of frames (an empty line is one byte), so there is a cap on how many are
delivered in one go; the rest comes in the next tick, and meanwhile the others get their turn.

A handler may stop the delivery: by pausing, closing, replacing `self.codec` or calling `set_protocol`. Then it stops
exactly there. Bytes that no delivered frame covers are not lost: they wait for the resumption, go to the new codec, or
to the new protocol.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from operator import length_hint
from typing import ClassVar, Generic, TypeVar

from reactor.errors import BudgetExceededError, FramingError, MisuseError, OptionError
from reactor.framing.codec import Codec, Decoder
from reactor.network.interface import Protocol, Transport
from reactor.network.options import DEFAULT_OPTIONS, ConnectionOptions

__all__ = ["FramedProtocol"]

FrameT = TypeVar("FrameT")

_FIRST_BATCH = 16
"""Frames decoded at once after a handler stopped the delivery: what is decoded and not delivered is decoded again."""


class FramedProtocol(Protocol, Generic[FrameT]):
    """A protocol that sends and receives frames. Set `codec`, define `frame_received`.

    If you define `connection_made`, `data_received`, `eof_received` or `connection_lost` yourself, call the one here as
    well.
    """

    codec: Codec[FrameT]
    """How frames are written as bytes. Mostly a class attribute; a handler may replace it for what follows."""

    frames_per_tick: ClassVar[int] = 1024
    """How many frames are delivered in one go."""

    transport: Transport | None = None
    """The connection, between `connection_made` and `connection_lost`."""

    _over = False  # connection_lost was called

    _decoder: Decoder[FrameT] | None = None
    _decoding: Codec[FrameT] | None = None  # whose decoder `_decoder` is
    _frames: Sequence[FrameT] = ()  # the frames that are being given out,
    _undelivered: Iterator[FrameT] | None = None  # and those of them that are still to come
    _discarded = 0  # how many of the decoder's discarded frames were told
    _batch = frames_per_tick  # how many frames to decode at once
    _held = 0  # bytes held when the bound of the next read was set
    _most_held = 0  # bytes that may be held, one read included

    def frame_received(self, frame: FrameT) -> None:
        """A frame arrived."""

    def framing_failed(self, error: FramingError) -> None:
        """The peer broke the framing; what it sent before has been delivered. Closes, with `error` as the reason.

        Override it to answer the peer first. The input from here on is lost: close the transport in any case.
        """
        if self.transport is not None:
            self.transport.close(error)

    def frames_discarded(self, count: int) -> None:
        """In front of the next frame, `count` were thrown away because they are too long, as the codec says.

        Only where its policy is `Oversize.DISCARD`. The last of them may not have ended yet.
        """

    def send(self, frame: FrameT) -> None:
        """Send a frame; ignored after the connection's end.

        Raises `EncodeError` if the codec cannot express it, `MisuseError` before there is a connection.
        """
        data = self.codec.encode(frame)
        if self.transport is not None:
            self.transport.write(data)
        elif not self._over:
            raise self._no_transport()

    def close(self, reason: BaseException | None = None) -> None:
        """Send what is waiting, then end the connection: `transport.close`. Does nothing after its end."""
        if self.transport is not None:
            self.transport.close(reason)

    @property
    def buffered(self) -> int:
        """The bytes received that no delivered frame covers: most often the beginning of one."""
        return 0 if self._decoder is None else self._decoder.buffered

    def use_codec(self, codec: Codec[FrameT]) -> None:
        """Replace the codec from outside a handler: bytes that wait for the rest of a frame are looked at anew."""
        self.codec = codec
        if self.transport is not None and self._decoder is not None and self._decoder.buffered:
            self.transport.unread(b"")

    def _no_transport(self) -> MisuseError:
        return MisuseError(
            f"{type(self).__name__} has no transport: its connection_made() must call super().connection_made() first"
        )

    # --- As a protocol --------------------------------------------------------------------------------------------

    def connection_made(self, transport: Transport) -> None:
        """Keep the transport."""
        self.transport = transport
        self._over = False

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the transport, and what was not complete."""
        self.transport = None
        self._over = True
        if self._decoder is not None:
            self._decoder.clear()
            self._decoder = None

    def data_received(self, data: bytes) -> None:
        """Decode what came, deliver the frames that are complete."""
        if self._decoder is None or self._decoding is not self.codec:
            self._change_codec()
        decoder, transport = self._decoder, self.transport
        assert decoder is not None and transport is not None
        try:
            decoder.feed(data)
        except BudgetExceededError as exc:
            transport.abort(exc)
        else:
            self._deliver(transport, self.frames_per_tick)

    def eof_received(self) -> bool | None:
        """The stream has ended: in the middle of a frame, that is an error."""
        if self._decoder is not None and self._decoding is not self.codec and self.transport is not None:
            self._change_codec()  # replaced since the last input: what is held is the new one's
            self._deliver(self.transport, sys.maxsize)
        if self._decoder is not None:
            try:
                self._decoder.finish()
            except FramingError as exc:
                self.framing_failed(exc)
        return None

    def release_input(self) -> bytes:
        """For `set_protocol`: the bytes that no delivered frame covers. They are the next protocol's."""
        decoder, self._decoder = self._decoder, None
        if decoder is None:
            return b""
        self._settle_batch(decoder)
        return decoder.release()

    # --- Delivery ---------------------------------------------------------------------------------------------------

    def _change_codec(self) -> None:
        """Begin with the codec in place; what the one before held is its first input."""
        if self.transport is None:
            raise self._no_transport()
        if self.frames_per_tick < 1:
            raise OptionError(f"frames_per_tick is at least 1, not {self.frames_per_tick}")
        rest = self._decoder.release() if self._decoder is not None else b""
        options: ConnectionOptions = self.transport.get_extra_info("options", DEFAULT_OPTIONS)
        self._decoding = self.codec
        self._decoder = self.codec.decoder(options.budget)
        self._discarded = 0
        self._decoder.feed(rest)
        self._most_held = max(self.codec.max_size, options.read_size)

    def _deliver(self, transport: Transport, room: int) -> None:
        """Deliver up to `room` frames: until there are none, it is enough for this tick, or the handler stops it."""
        while (decoder := self._decoder) is not None and decoder.buffered:
            if transport.recipient is not self or room <= 0:
                transport.unread(b"")  # call data_received again when reading goes on, in the next tick at the earliest
                break
            try:
                frames = decoder.decode(min(room, self._batch))
            except FramingError as exc:
                if decoder.discarded == self._discarded:
                    decoder.clear()
                    self.framing_failed(exc)
                    return
                frames = []
            if decoder.discarded != self._discarded:
                self._tell_discarded(decoder, transport)  # and then decode again: it may have stopped us
            elif not frames:
                break
            else:
                room -= len(frames)
                delivered = self._hand_out(frames, decoder, transport)
                self._batch = min(self._batch * 8, self.frames_per_tick) if delivered else _FIRST_BATCH
            if self._decoding is not self.codec and self._decoder is not None:
                self._change_codec()
        held = 0 if decoder is None else decoder.buffered
        if held != self._held:  # part of a frame: what is held and the next read together keep the bound
            self._held = held
            transport.set_read_limit(max(self._most_held - held, 1) if held else None)

    def _hand_out(self, frames: list[FrameT], decoder: Decoder[FrameT], transport: Transport) -> bool:
        """Give out the frames, as long as this protocol and this codec are the ones to do it; whether to the end."""
        codec, handler = self.codec, self.frame_received
        self._frames = frames
        self._undelivered = undelivered = iter(frames)
        try:
            for frame in undelivered:
                handler(frame)
                if transport.recipient is not self or self.codec is not codec:
                    break
            return not length_hint(undelivered)
        except BaseException:
            transport.unread(b"")  # if that was Ctrl-C, the connection lives on, and the rest is to be delivered
            raise
        finally:
            self._settle_batch(decoder)

    def _tell_discarded(self, decoder: Decoder[FrameT], transport: Transport) -> None:
        """Tell, once, of the frames that were thrown away in front of the next one."""
        told, self._discarded = self._discarded, decoder.discarded
        try:
            self.frames_discarded(self._discarded - told)
        except BaseException:
            transport.unread(b"")  # as in `_hand_out`
            raise

    def _settle_batch(self, decoder: Decoder[FrameT]) -> None:
        """Take the bytes of the frames that were given out from the decoder, and give out no more of this batch."""
        undelivered, self._undelivered = self._undelivered, None
        if undelivered is not None:
            decoder.consume(len(self._frames) - length_hint(undelivered))
            for _ in undelivered:
                pass
            self._frames = ()
