"""A process that imports a library and has nobody to serve yet: the seconds and the bytes that this takes.

    python -I tests/benchmarks/starting_program.py CHECKOUT CONTESTANT        prints one line of JSON

What this file itself had imported before would be missing in the seconds and stand in the bytes. So until both are
known it imports nothing that the interpreter has not loaded by itself, and it is run by its path, not as a module of a
package. `-I` keeps the environment and the current directory out of it; CHECKOUT is put on everybody's path.
"""

import os
import sys
import time
from _collections_abc import Callable  # where it is loaded already; `collections.abc` would load `collections`

__all__ = ["CONTESTANTS"]


def say(**figures: float) -> None:
    """Print the figures and what is resident now: the second number in `statm`, in pages (proc_pid_statm(5))."""
    with open("/proc/self/statm", encoding="ascii") as file:
        figures["resident"] = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    import json  # noqa: PLC0415 -- from here on nothing is measured
    import platform  # noqa: PLC0415

    versions = {"Python": platform.python_version()}
    if "uvloop" in sys.modules:
        versions["uvloop"] = sys.modules["uvloop"].__version__
    print(json.dumps({"figures": figures, "versions": versions}), flush=True)


def with_reactor() -> None:
    begun = time.process_time()
    import reactor  # noqa: PLC0415 -- this is what is measured

    seconds = time.process_time() - begun

    with reactor.Reactor() as loop:
        server = reactor.listen(loop, reactor.Protocol, "127.0.0.1:0")

        def serving() -> None:
            say(**{"import": seconds})
            server.close()

        loop.call_soon(serving)
        loop.run()


def with_asyncio() -> None:
    begun = time.process_time()
    import asyncio  # noqa: PLC0415 -- as above

    seconds = time.process_time() - begun
    serve_on(asyncio.new_event_loop, seconds)


def with_uvloop() -> None:
    begun = time.process_time()
    import uvloop  # noqa: PLC0415 -- as above

    seconds = time.process_time() - begun
    serve_on(uvloop.new_event_loop, seconds)


def serve_on(new_loop: Callable[[], object], seconds: float) -> None:
    import asyncio  # noqa: PLC0415 -- loaded before, by the caller

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
        say(**{"import": seconds})
        server.close()

    with asyncio.Runner(loop_factory=new_loop) as runner:  # type: ignore[arg-type]
        runner.run(serve())


CONTESTANTS = {"reactor": with_reactor, "asyncio": with_asyncio, "uvloop": with_uvloop, "python": say}


def main() -> None:
    checkout, contestant = sys.argv[1:]
    sys.path.insert(0, checkout)
    try:
        CONTESTANTS[contestant]()
    except ModuleNotFoundError as error:
        print(f'{{"missing": "{error.name} is not installed"}}', flush=True)


if __name__ == "__main__":
    main()
