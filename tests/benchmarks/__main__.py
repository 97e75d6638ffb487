"""`python3 -m tests.benchmarks [ROW ...]`: what a message costs, here and in other event loops.

Everything happens on the loopback interface. A server runs on one core and the load on another; what is compared is the
CPU time that the server uses for a message. See `runner` for how, and `rows` for what. The row `simulation` answers
another question, how long a virtual hour takes: see `virtual_hour`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tests.benchmarks import simulated
from tests.benchmarks.processes import ProcessError, choose_cores
from tests.benchmarks.report import as_json, describe_run, format_heading, format_row, format_simulation
from tests.benchmarks.rows import ROWS
from tests.benchmarks.runner import Results, available_load, run_row

CONTESTANTS = {name: list(row.contestants) for name, row in ROWS.items()} | {simulated.NAME: [simulated.CONTESTANT]}
"""Who takes part in which row."""


def positive(text: str) -> int:
    """An argument that counts something."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def parse(arguments: list[str] | None) -> argparse.Namespace:
    everybody = sorted({name for contestants in CONTESTANTS.values() for name in contestants})
    parser = argparse.ArgumentParser(prog="python3 -m tests.benchmarks", description="What a message costs.")
    add = parser.add_argument
    add("rows", nargs="*", metavar="ROW", help=f"any of {', '.join(CONTESTANTS)} (default: all)")
    add("--rounds", type=positive, default=5, metavar="N", help="rounds of each contestant (default: %(default)s)")
    add("--messages", type=positive, metavar="N", help="messages in a round (default: the row's own number)")
    add("--only", nargs="+", default=[], choices=everybody, metavar="NAME", help=f"any of {', '.join(everybody)}")
    add("--python", default=sys.executable, help="the interpreter that runs the servers (default: this one)")
    add("--json", type=Path, metavar="FILE", help="write all that was measured to FILE")
    options = parser.parse_args(arguments)
    for name in options.rows:
        if name not in CONTESTANTS:
            parser.error(f"no row is called {name!r}; there are {', '.join(CONTESTANTS)}")
    chosen = set(options.only or everybody)
    options.rows = [name for name in options.rows or CONTESTANTS if chosen.intersection(CONTESTANTS[name])]
    if not options.rows:
        parser.error("nobody of these takes part in these rows")
    return options


def show_progress(text: str) -> None:
    """One line on a terminal that is overwritten by the next."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    cores = choose_cores()
    results: list[Results] = []
    hours: simulated.SimulationResults | None = None
    with available_load() as load:
        run = describe_run(load, cores, options.rounds)
        print(format_heading(run), flush=True)
        for name in options.rows:
            try:
                if name == simulated.NAME:
                    hours = simulated.run_simulation(
                        rounds=options.rounds,
                        heartbeats=options.messages,
                        python=options.python,
                        core=cores.server,
                        progress=show_progress,
                    )
                    table = format_simulation(hours)
                else:
                    result = run_row(
                        ROWS[name],
                        rounds=options.rounds,
                        messages=options.messages,
                        python=options.python,
                        load=load,
                        cores=cores,
                        contestants=options.only,
                        progress=show_progress,
                    )
                    results.append(result)
                    table = format_row(result)
            except (ProcessError, OSError) as error:
                show_progress("")
                print(error, file=sys.stderr)
                return 1
            show_progress("")
            print(f"\n{table}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(as_json(run, results, hours), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
