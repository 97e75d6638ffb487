"""Every exception that `reactor` raises or hands to `connection_lost`, in one small tree.

Four questions decide how a program reacts to a failure, and each has one class to catch:

- Did *I* use the library wrongly?             `MisuseError`   (a `RuntimeError`)
- Did the *peer* break the agreed framing?     `FramingError`  (a `ValueError`)
- Did something grow past a declared bound?    `LimitError`
- Did something take longer than allowed?      `DeadlineError` (a `TimeoutError`)

A connection attempt that came to nothing is a `ConnectError` (a `ConnectionError`), a simulation that came to a
standstill a `DeadlockError`. What the operating system
reports about an established connection is passed on as it is: a reset by the peer stays a
`ConnectionResetError`, it does not get a second name here. Where one of our errors stands for another one, the
original is its `__cause__`.

    ReactorError
    ├── MisuseError               RuntimeError
    │   ├── OptionError           ValueError       an option or address that cannot be
    │   ├── EncodeError           ValueError       a frame that its codec cannot express
    │   ├── ReentryError                           run() inside run()
    │   ├── WrongThreadError                       a foreign thread
    │   ├── ForkedError                            a forked child
    │   ├── ClosedError                            used after close()
    │   └── SimulationError                        what a simulated network cannot do
    │       ├── UnmodelledError   NotImplementedError
    │       └── HostDownError
    ├── FramingError              ValueError
    │   ├── FrameTooLongError     (also LimitError)
    │   └── IncompleteFrameError  EOFError
    ├── LimitError
    │   ├── SendBufferFullError
    │   ├── ReceiveBufferFullError
    │   └── BudgetExceededError
    ├── DeadlineError             TimeoutError
    │   ├── IdleTimeoutError
    │   ├── WriteTimeoutError
    │   ├── DrainTimeoutError
    │   └── SimulationTimeoutError
    ├── ConnectError              ConnectionError
    │   ├── ConnectTimeoutError   (also DeadlineError)
    │   └── NameResolutionError
    └── DeadlockError                              a simulation in which nothing will ever happen again
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "BudgetExceededError",
    "ClosedError",
    "ConnectError",
    "ConnectTimeoutError",
    "DeadlineError",
    "DeadlockError",
    "DrainTimeoutError",
    "EncodeError",
    "ForkedError",
    "FrameTooLongError",
    "FramingError",
    "HostDownError",
    "IdleTimeoutError",
    "IncompleteFrameError",
    "LimitError",
    "MisuseError",
    "NameResolutionError",
    "OptionError",
    "ReactorError",
    "ReceiveBufferFullError",
    "ReentryError",
    "SendBufferFullError",
    "SimulationError",
    "SimulationTimeoutError",
    "UnmodelledError",
    "WriteTimeoutError",
    "WrongThreadError",
]


class ReactorError(Exception):
    """The root of everything that `reactor` itself has to complain about."""


class MisuseError(ReactorError, RuntimeError):
    """The API was used in a way that cannot work; the message says what to do instead."""


class OptionError(MisuseError, ValueError):
    """An option or an address has a value that cannot be; the message names it."""


class EncodeError(MisuseError, ValueError):
    """A frame cannot be expressed by its codec: too long, or it contains the delimiter."""


class ReentryError(MisuseError):
    """A reactor was asked to run while it is running."""


class WrongThreadError(MisuseError):
    """A reactor was used from a thread that does not own it."""


class ForkedError(MisuseError):
    """A reactor made before `fork()` was used in the child, where only `close()` works."""


class ClosedError(MisuseError):
    """A reactor or server was used after its `close()`."""


class SimulationError(MisuseError):
    """A simulated network was asked for something that cannot be; the message names it."""


class UnmodelledError(SimulationError, NotImplementedError):
    """A system call or option that the simulated kernel does not model. It never pretends to have done it."""


class HostDownError(SimulationError):
    """A simulated host, or something that was made on it, was used after the host's crash or its program's end."""


class LimitError(ReactorError):
    """A declared bound was reached. The message names the bound and its value."""


class SendBufferFullError(LimitError):
    """The peer reads too slowly: unsent bytes passed the hard limit of the send buffer."""


class ReceiveBufferFullError(LimitError):
    """More input was to be held than the receive buffer's cap allows."""


class BudgetExceededError(LimitError):
    """The bytes held by everything that shares one `Budget` would pass its limit."""


class FramingError(ReactorError, ValueError):
    """The peer sent bytes that are not a frame of the agreed format."""


class FrameTooLongError(FramingError, LimitError):
    """The peer sent a frame longer than the codec's maximum length, of more parts, or nested deeper."""


class IncompleteFrameError(FramingError, EOFError):
    """The stream ended in the middle of a frame."""


class DeadlineError(ReactorError, TimeoutError):
    """Something took longer than its deadline. The message names the deadline and its seconds."""


class IdleTimeoutError(DeadlineError):
    """Nothing was received or sent for longer than the idle timeout."""


class WriteTimeoutError(DeadlineError):
    """The kernel accepted no byte of the pending output for longer than the write timeout."""


class DrainTimeoutError(DeadlineError):
    """A closing connection still had unsent bytes when its drain timeout passed."""


class SimulationTimeoutError(DeadlineError):
    """What a simulation was run for did not come within the virtual time that was given for it."""


class DeadlockError(ReactorError):
    """A simulation in which nothing will ever happen again; the message says what everyone is waiting for."""


class ConnectError(ReactorError, ConnectionError):
    """No address of the target could be connected to.

    `address` is the target as the user gave it. `attempts` lists every `(socket address, error)` that was tried,
    in order; the last error is also the `__cause__`.
    """

    def __init__(self, message: str, address: str = "", attempts: Sequence[tuple[object, OSError]] = ()) -> None:
        super().__init__(message)
        self.address = address
        self.attempts = tuple(attempts)


class ConnectTimeoutError(ConnectError, DeadlineError):
    """The connect timeout passed before any address answered."""


class NameResolutionError(ConnectError):
    """The host name could not be resolved; the `socket.gaierror` is the `__cause__`."""
