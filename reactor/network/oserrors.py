"""What the kernel has to say about a socket, as Python's exceptions.

A network error can arrive between two calls. Then it waits in the socket option SO_ERROR (socket(7)), and the next
call fails, but not always with it: `shutdown` on a connection that was reset says ENOTCONN, which is true and useless.
"""

from __future__ import annotations

import errno
import os
import socket

from reactor.kernel import Socket

__all__ = ["os_error", "pending_error", "waiting_error"]


def os_error(code: int) -> OSError:
    """The exception for an errno; Python picks the class: `ConnectionRefusedError`, `TimeoutError`, …"""
    return OSError(code, os.strerror(code))


def waiting_error(sock: Socket) -> int:
    """The errno that waits in the socket, 0 for none. It is told once."""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def pending_error(sock: Socket) -> OSError:
    """Why a connected socket is connected no longer: the error that waits, otherwise a reset."""
    return os_error(waiting_error(sock) or errno.ECONNRESET)
