"""Descriptors that are not sockets of ours: how many there may be, and those that somebody else has opened.

**How many.** Every socket is a descriptor, and every process has a limit of them, so that a leak in one program does
not take the machine down. There are two (getrlimit(2)). The *soft* limit is the one that counts, and is often as low as
1,024, because old programs that use `select` break beyond. The *hard* limit is how far a process may raise the soft one
itself; to raise that takes an administrator.

**Inherited ones**, standard input, output and error, are mostly blocking, and have to be left so: O_NONBLOCK belongs to
the open file description, which is shared with other processes (open(2)). Somebody else may have set it already, so
calls that block must be ready for EAGAIN as well.
"""

from __future__ import annotations

import os
import select
import stat

try:
    import fcntl
except ImportError:  # Windows
    pass

__all__ = [
    "is_readable",
    "occupy_standard_descriptors",
    "raise_descriptor_limit",
    "tells_when_its_reader_is_gone",
    "write_all",
]


def raise_descriptor_limit(wanted: int) -> None:
    """Raise the soft limit to `wanted` descriptors, or as far as the hard limit allows. Never lowers it.

    What came of it is `Kernel.descriptor_limit()`. Does nothing where there is no such limit to raise (Windows).
    """
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or wanted <= soft:
        return
    target = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
    except (ValueError, OSError):
        pass  # macOS has a limit below the hard one (kern.maxfilesperproc): it stays as it was


def occupy_standard_descriptors() -> None:
    """Open the null device as each of the descriptors 0, 1 and 2 that is closed (in a shell: `<&-`, `>&-`).

    Otherwise the next socket gets that number, and is taken for standard input or output.
    """
    for descriptor in range(3):
        if not is_open(descriptor):
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one


def is_open(descriptor: int) -> bool:
    """Whether there is something behind that number."""
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def is_readable(descriptor: int) -> bool:
    """Whether a `read` would give something now, if only the end. Regular files always are (select(2))."""
    return bool(select.select((descriptor,), (), (), 0)[0])


def write_all(descriptor: int, data: bytes) -> int:
    """Write all of `data`, however long that takes, and return its size. For a thread. Raises `OSError`."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:  # non-blocking, for whatever reason: wait as a blocking one would
            select.select((), (descriptor,), ())
    return len(data)


def tells_when_its_reader_is_gone(descriptor: int) -> bool:
    """Whether it is the writing end of a pipe: a selector reports that as readable when nobody is left to read.

    There is nothing else that it could be readable for (poll(2), POLLERR).
    """
    return (
        os.name == "posix"
        and stat.S_ISFIFO(os.fstat(descriptor).st_mode)
        and fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
    )
