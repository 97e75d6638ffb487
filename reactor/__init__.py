"""`reactor`: the event loop you can read, embed, see and simulate.

One thread multiplexes a listening socket and all client sockets, on the standard library's `selectors`.

    from reactor import Protocol, Reactor, listen

    class Echo(Protocol):
        def connection_made(self, transport):
            self.transport = transport

        def data_received(self, data):
            self.transport.write(data)

    reactor = Reactor()
    listen(reactor, Echo, "127.0.0.1:9000")
    reactor.run()

The package is a stack of layers, each of which knows only those before it: `errors`, `buffering` and `framing` (bytes,
no I/O), `kernel` (the operating system, behind one interface), `loop` (readiness and time), `network` (sockets in
motion), `cli`. Beside them stands `simulation`: another kernel, a network in memory under virtual time.
"""

from reactor.buffering import Budget
from reactor.errors import (
    BudgetExceededError,
    ClosedError,
    ConnectError,
    ConnectTimeoutError,
    DeadlineError,
    DeadlockError,
    DrainTimeoutError,
    EncodeError,
    ForkedError,
    FrameTooLongError,
    FramingError,
    HostDownError,
    IdleTimeoutError,
    IncompleteFrameError,
    LimitError,
    MisuseError,
    NameResolutionError,
    OptionError,
    ReactorError,
    ReceiveBufferFullError,
    ReentryError,
    SendBufferFullError,
    SimulationError,
    SimulationTimeoutError,
    UnmodelledError,
    WriteTimeoutError,
    WrongThreadError,
)
from reactor.framing import (
    Codec,
    Decoder,
    FixedLengthCodec,
    LengthPrefixedCodec,
    LineCodec,
    NetstringCodec,
    Oversize,
    RespCodec,
    RespError,
    RespStatus,
    RespValue,
    VarintCodec,
)
from reactor.kernel import Kernel, SystemKernel
from reactor.loop import (
    Handle,
    Instruments,
    Job,
    Missed,
    Reactor,
    RepeatingTimer,
    TimerHandle,
    defaults,
)
from reactor.network import (
    Backoff,
    BaseProtocol,
    BufferedProtocol,
    Connection,
    ConnectionOptions,
    Connector,
    FramedProtocol,
    Overflow,
    Protocol,
    Reconnector,
    Server,
    Transport,
    connect,
    listen,
    reconnect,
)

__all__ = [
    "Backoff",
    "BaseProtocol",
    "Budget",
    "BudgetExceededError",
    "BufferedProtocol",
    "ClosedError",
    "Codec",
    "ConnectError",
    "ConnectTimeoutError",
    "Connection",
    "ConnectionOptions",
    "Connector",
    "DeadlineError",
    "DeadlockError",
    "Decoder",
    "DrainTimeoutError",
    "EncodeError",
    "FixedLengthCodec",
    "ForkedError",
    "FrameTooLongError",
    "FramedProtocol",
    "FramingError",
    "Handle",
    "HostDownError",
    "IdleTimeoutError",
    "IncompleteFrameError",
    "Instruments",
    "Job",
    "Kernel",
    "LengthPrefixedCodec",
    "LimitError",
    "LineCodec",
    "Missed",
    "MisuseError",
    "NameResolutionError",
    "NetstringCodec",
    "OptionError",
    "Overflow",
    "Oversize",
    "Protocol",
    "Reactor",
    "ReactorError",
    "ReceiveBufferFullError",
    "Reconnector",
    "ReentryError",
    "RepeatingTimer",
    "RespCodec",
    "RespError",
    "RespStatus",
    "RespValue",
    "SendBufferFullError",
    "Server",
    "SimulationError",
    "SimulationTimeoutError",
    "SystemKernel",
    "TimerHandle",
    "Transport",
    "UnmodelledError",
    "VarintCodec",
    "WriteTimeoutError",
    "WrongThreadError",
    "connect",
    "defaults",
    "listen",
    "reconnect",
]
