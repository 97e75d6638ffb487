"""What TCP itself does not promise, though a case takes it for granted: the one list of it.

A simulated network does all that a real one may. So a case runs in every fault profile as it is, unless what it waits
for need not happen at all, however correct the program.

There is one such thing. A connection stands for the end that connects as soon as it has the answer to its request, and
for the end that listens only when it has the acknowledgement of that answer. If this last segment is lost, and a reset
comes next, the listener forgets the request, and nobody there is told (RFC 9293, section 3.10.7.4: a reset in
SYN-RECEIVED). A case in which `connection_made` resets the connection, and both ends are to hear of it, therefore runs
without lost segments, and with all the other faults.
"""

from __future__ import annotations

from reactor.simulation import Profile

__all__ = ["WITHOUT_LOSS", "as_far_as_promised"]

WITHOUT_LOSS = ("a_mistake_ends_the_connection_with_itself[connection_made]", "abort_inside[connection_made]")
"""The cases in which a reset follows the handshake at once, and both ends are to hear of the connection."""


def as_far_as_promised(case: str, profile: Profile) -> Profile:
    """`profile` without the faults under which what `case` waits for need not happen."""
    return profile.but(loss=0.0) if case in WITHOUT_LOSS else profile
