"""The other kernel: a network in memory under virtual time.

Unchanged protocols, on the same reactor and the same transports as in production, over a network that can be told
what to do: lose, delay, cut, refuse, run out of everything. Nothing in it is left to the machine it runs on, so every
run can be repeated from its seed.

`Simulation` holds hosts; a `Host` has a reactor. A `Profile` says what can go wrong, and `check` runs a test over many
seeds and finds the few faults that matter.
"""

from reactor.simulation.checking import check
from reactor.simulation.choices import Strike
from reactor.simulation.faults import CALM, HOSTILE, LOSSY_WIFI, Faults, Link, Profile
from reactor.simulation.host import Host
from reactor.simulation.kernel import SimulatedKernel
from reactor.simulation.simulation import Simulation

__all__ = [
    "CALM",
    "HOSTILE",
    "LOSSY_WIFI",
    "Faults",
    "Host",
    "Link",
    "Profile",
    "SimulatedKernel",
    "Simulation",
    "Strike",
    "check",
]
