"""Questions about a kernel that are no script: descriptors, selectors, addresses.

Each is a function of a `Bench`, on which sockets are made. What it returns, or the error that it ends with, is the
answer.
"""

from __future__ import annotations

import errno
import selectors
import socket
from collections.abc import Callable
from typing import Any

from reactor.kernel import Kernel

__all__ = ["QUESTIONS", "ask"]

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
LOOPBACK = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


class Bench:
    """A place to make things that will be closed."""

    def __init__(self, kernel: Kernel) -> None:
        """Begin with nothing."""
        self.kernel = kernel
        self._made: list[Any] = []

    def keep(self, thing: Any) -> Any:
        """It will be closed."""
        self._made.append(thing)
        return thing

    def open(self, family: int = socket.AF_INET) -> Any:
        """A fresh socket; those of IPv6 are for nothing else."""
        sock = self.keep(self.kernel.socket(family, socket.SOCK_STREAM))
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        return sock

    def listener(self, family: int = socket.AF_INET, host: str = "") -> Any:
        """A listening socket."""
        sock = self.open(family)
        sock.bind((host or LOOPBACK[socket.AddressFamily(family)], 0))
        sock.listen(5)
        return sock

    def pair(self, family: int = socket.AF_INET) -> tuple[Any, Any]:
        """Both ends of a connection, the accepted one last."""
        listener, client = self.listener(family), self.open(family)
        assert client.connect_ex(listener.getsockname()) == errno.EINPROGRESS
        accepted = self.keep(listener.accept()[0])
        accepted.setblocking(False)
        return client, accepted

    def close(self) -> None:
        """Close everything."""
        for thing in self._made:
            thing.close()


def ask(kernel: Kernel, question: Callable[[Bench], Any]) -> Any:
    """The answer."""
    bench = Bench(kernel)
    try:
        return question(bench)
    except (OSError, ValueError, KeyError) as exc:
        return type(exc).__name__, getattr(exc, "errno", None)
    finally:
        bench.close()


def _a_number_is_given_out_again(bench: Bench) -> Any:
    first, second = bench.open(), bench.open()
    number = first.fileno()
    first.close()
    return first.fileno(), bench.open().fileno() == number, second.fileno() == number


def _the_selector_forgets_what_is_closed(bench: Bench) -> Any:
    near, _ = bench.pair()
    selector = bench.keep(bench.kernel.selector())
    selector.register(near, READ | WRITE)
    number = near.fileno()
    near.close()
    return selector.select(0), number in selector.get_map(), selector.unregister(number).fd == number


def _a_closed_descriptor_cannot_be_watched_for_something_else(bench: Bench) -> Any:
    near, _ = bench.pair()
    selector = bench.keep(bench.kernel.selector())
    number = selector.register(near, READ).fd
    near.close()
    return selector.modify(number, WRITE)


def _a_successor_of_the_same_number_is_not_watched(bench: Bench) -> Any:
    near, _ = bench.pair()
    selector = bench.keep(bench.kernel.selector())
    selector.register(near, READ | WRITE)
    near.close()
    successor = bench.open()
    return successor.fileno() >= 0, selector.select(0)


def _readiness_is_told_until_it_is_gone(bench: Bench) -> Any:
    near, far = bench.pair()
    selector = bench.keep(bench.kernel.selector())
    selector.register(near, READ)
    far.send(b"two")
    told = [len(selector.select(0)) for _ in range(2)]
    near.recv(1)
    told.append(len(selector.select(0)))
    near.recv(9)
    return *told, len(selector.select(0))


def _events_come_in_the_order_in_which_they_happened(bench: Bench) -> Any:
    ends = [bench.pair() for _ in range(4)]
    selector = bench.keep(bench.kernel.selector())
    for number, (near, far) in enumerate(ends):
        selector.register(near, READ, ("near", number))
        selector.register(far, READ, ("far", number))
    for number in (2, 0, 3, 1):
        ends[number][0].send(b"to the far end")
        ends[number][1].send(b"to the near end")
    return [key.data for key, _ in selector.select(0)]


def _interest_can_change(bench: Bench) -> Any:
    near, far = bench.pair()
    selector = bench.keep(bench.kernel.selector())
    selector.register(near, READ)
    before = selector.select(0)
    selector.modify(near, WRITE)
    far.send(b"input")
    masks = [[mask for _, mask in selector.select(0)]]
    selector.modify(near, READ | WRITE)
    return before, *masks, [mask for _, mask in selector.select(0)]


def _a_selector_can_be_watched(bench: Bench) -> Any:
    near, far = bench.pair()
    inner, outer = (bench.keep(bench.kernel.selector()) for _ in range(2))
    inner.register(near, READ)
    outer.register(inner, READ)
    before = len(outer.select(0))
    far.send(b"input")
    return before, len(outer.select(0))


def _recv_into_part_of_a_buffer(bench: Bench) -> Any:
    near, far = bench.pair()
    far.send(b"abcdef")
    buffer = bytearray(b"......")
    return near.recv_into(buffer, 2), near.recv_into(memoryview(buffer)[3:]), bytes(buffer)


def _an_address_of_the_other_family(bench: Bench) -> Any:
    return bench.open().connect_ex(("::1", 9))


def _a_wildcard_listener(bench: Bench) -> Any:
    listener, client = bench.listener(host="0.0.0.0"), bench.open()
    client.connect_ex(("127.0.0.1", listener.getsockname()[1]))
    accepted = bench.keep(listener.accept()[0])
    return listener.getsockname()[0], accepted.getsockname()[0], accepted.getpeername() == client.getsockname()


def _connecting_to_the_wildcard(bench: Bench) -> Any:
    listener, client = bench.listener(), bench.open()
    code = client.connect_ex(("0.0.0.0", listener.getsockname()[1]))
    return code, client.getpeername() == listener.getsockname()


def _the_wildcard_takes_the_port_of_all(bench: Bench) -> Any:
    listener = bench.listener()
    return bench.open().bind(("0.0.0.0", listener.getsockname()[1]))


def _a_port_of_ipv6_is_taken(bench: Bench) -> Any:
    listener = bench.listener(socket.AF_INET6)
    return bench.open(socket.AF_INET6).bind(("::1", listener.getsockname()[1]))


def _ipv6_addresses_have_four_parts(bench: Bench) -> Any:
    fresh = bench.open(socket.AF_INET6).getsockname()
    near, far = bench.pair(socket.AF_INET6)
    return fresh, near.getpeername()[0], near.getpeername()[2:], far.getpeername() == near.getsockname()


QUESTIONS: dict[str, Callable[[Bench], Any]] = {
    function.__name__.strip("_").replace("_", " "): function
    for function in (
        _a_number_is_given_out_again,
        _the_selector_forgets_what_is_closed,
        _a_closed_descriptor_cannot_be_watched_for_something_else,
        _a_successor_of_the_same_number_is_not_watched,
        _readiness_is_told_until_it_is_gone,
        _events_come_in_the_order_in_which_they_happened,
        _interest_can_change,
        _a_selector_can_be_watched,
        _recv_into_part_of_a_buffer,
        _an_address_of_the_other_family,
        _a_wildcard_listener,
        _connecting_to_the_wildcard,
        _the_wildcard_takes_the_port_of_all,
        _a_port_of_ipv6_is_taken,
        _ipv6_addresses_have_four_parts,
    )
}
"""By name."""
