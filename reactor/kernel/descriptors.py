"""How many descriptors this process may have: a limit that a program with many connections has to raise.

Every socket is a descriptor, and every process has a limit of them, so that a leak in one program does not take the
machine down. There are two (getrlimit(2)). The *soft* limit is the one that counts, and is often as low as 1,024,
because old programs that use `select` break beyond. The *hard* limit is how far a process may raise the soft one
itself; to raise that takes an administrator.
"""

from __future__ import annotations

__all__ = ["raise_descriptor_limit"]


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
