"""Everything that touches the operating system, behind one small interface.

`Kernel` is the seam of the whole library: the loop and the network ask it for the clock, a selector, sockets, a
wakeup, signals and threads, and never reach around it. `SystemKernel` is the real one. Another kernel, or a wrapper
around this one, changes what the program runs on without changing a line of the program.
"""

from reactor.kernel.interface import AddressInfo, Kernel, Signals, Socket, Wakeup, Workers
from reactor.kernel.system import SystemKernel

__all__ = ["AddressInfo", "Kernel", "Signals", "Socket", "SystemKernel", "Wakeup", "Workers"]
