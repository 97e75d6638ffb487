"""`python3 -m tests.benchmarks [ROW ...]`: what things cost, here and in other event loops.

Everything happens on the loopback interface. A server runs on one core and the load on another; what is compared is
mostly the CPU time that the server uses for a message. `rows` says what is measured, `servers` and `row` how, and
`comparing` when a difference is one. All rows and five rounds of everybody take about 20 minutes.

    python3 -m tests.benchmarks                                         everything, as tables
    python3 -m tests.benchmarks echo-1k-50 lines --only reactor uvloop  some rows, some contestants
    python3 -m tests.benchmarks --json new.json --chart new.svg         also as files
    python3 -m tests.benchmarks --read new.json --against old.json      nothing is measured: two files compared
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from tests.benchmarks.chart import draw
from tests.benchmarks.comparing import format_comparison
from tests.benchmarks.compiling import compiled_programs
from tests.benchmarks.processes import ProcessError, choose_cores
from tests.benchmarks.report import describe_run, format_heading, format_row, format_run
from tests.benchmarks.results import Measured, Run, load, save
from tests.benchmarks.row import Bench
from tests.benchmarks.rows import ROWS
from tests.benchmarks.runner import run_row

INTERRUPTED, CLOSED = 130, 141


def positive(text: str) -> int:
    """An argument that counts something."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def share(text: str) -> float:
    """An argument that is a part of something, or some times as much."""
    number = float(text)
    if not 0 < number <= 1000:
        raise ValueError
    return number


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    everybody = sorted({name for row in ROWS.values() for name in row.contestants})
    parser = argparse.ArgumentParser(
        prog="python3 -m tests.benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("rows", nargs="*", metavar="ROW", help=f"names, or patterns such as 'echo-*' (default: all): {', '.join(ROWS)}")
    add("--rounds", type=positive, default=5, metavar="N", help="rounds of each contestant (default: %(default)s)")
    add("--scale", type=share, default=1, metavar="F", help="this share of each row's own amount of work (default: 1)")
    add("--only", nargs="+", default=[], choices=everybody, metavar="NAME", help=f"any of {', '.join(everybody)}")
    add("--python", default=sys.executable, help="the interpreter that is measured (default: this one)")
    add("--json", type=Path, metavar="FILE", help="write all that was measured to FILE")
    add("--chart", type=Path, metavar="FILE", help="draw it as SVG into FILE")
    add("--read", type=Path, metavar="FILE", help="measure nothing: take what --json has written")
    add("--against", type=Path, metavar="FILE", help="compare with what --json has written")
    options = parser.parse_args(arguments)
    chosen: list[str] = []
    options.patterns = options.rows or ["*"]
    for pattern in options.patterns:
        matching = [name for name in ROWS if fnmatchcase(name, pattern)]
        if not matching:
            parser.error(f"no row is called {pattern!r}; there are {', '.join(ROWS)}")
        chosen += matching
    if options.only:
        chosen = [name for name in chosen if set(options.only).intersection(ROWS[name].contestants)]
    if not chosen:
        parser.error("nobody of these takes part in these rows")
    options.rows = list(dict.fromkeys(chosen))
    if options.read and options.json:
        parser.error("--read measures nothing, so there is nothing for --json to write")
    return options


def show_progress(text: str = "") -> None:
    """One line on a terminal that is overwritten by the next."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def select(run: Run, options: argparse.Namespace) -> Run:
    """The rows and contestants of `run` that were asked for."""
    rows = [
        replace(row, rounds={name: rounds for name, rounds in row.rounds.items() if name in options.only})
        if options.only
        else row
        for row in run.rows
        if any(fnmatchcase(row.name, pattern) for pattern in options.patterns)
    ]
    return Run(run.heading, rows)


def measure(options: argparse.Namespace, typed: Sequence[str], run: Run) -> int:
    """Add to `run` what is found. Each row is written to the file and printed when it is complete."""
    status = 0

    def complain(text: str) -> None:
        nonlocal status
        status = 1
        show_progress()
        print(text, file=sys.stderr, flush=True)

    cores = choose_cores()
    with compiled_programs() as programs:
        run.heading |= describe_run(
            python=options.python,
            language=programs.language,
            cores=cores,
            rounds=options.rounds,
            scale=options.scale,
            command=["python3", "-m", "tests.benchmarks", *typed],
        )
        print(format_heading(run.heading), flush=True)
        bench = Bench(options.python, programs, cores, options.scale)
        for name in options.rows:
            row = ROWS[name]
            measured = Measured(row.name, row.title, row.figures)
            run.rows.append(measured)
            run_row(
                row,
                bench,
                measured,
                rounds=options.rounds,
                contestants=options.only,
                progress=show_progress,
                complain=complain,
            )
            show_progress()
            keep(run, options.json)
            print(f"\n{format_row(measured, run.heading)}", flush=True)
    return status


def keep(run: Run, file: Path | None) -> None:
    """Write `run` to `file`, if there is one; at no moment is there less in it than before."""
    if file is None:
        return
    if file.exists() and not file.is_file():  # a device, a pipe
        save(run, file)
        return
    new = file.with_name(f".{file.name}.new")
    try:
        save(run, new)
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)


def check_writable(file: Path) -> None:
    """Raises `OSError` now, and not after 20 minutes."""
    existed = file.exists()
    file.open("a").close()
    if not existed:
        file.unlink()


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    status = 0
    run = Run({})
    try:
        old = select(load(options.against), options) if options.against else None
        for file in filter(None, (options.json, options.chart)):
            check_writable(file)
        if options.read:
            run = select(load(options.read), options)
            if old is None:
                print(format_run(run))
        else:
            try:
                status = measure(options, sys.argv[1:] if arguments is None else arguments, run)
            except KeyboardInterrupt:
                show_progress()
                status = INTERRUPTED
                keep(run, options.json)
        if options.chart:
            options.chart.write_text(draw(run), encoding="utf-8")
        if old is not None:
            print(f"\n{format_comparison(old, run)}")
    except BrokenPipeError:  # whoever read the tables has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED
    except (OSError, ValueError, ProcessError) as error:
        print(f"tests.benchmarks: {error}", file=sys.stderr)
        return 1
    return status


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what was measured is kept
    sys.exit(main())
