"""The picture can be read: it is well-formed, complete, and nothing lies outside of it or on something else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import combinations, product
from xml.etree import ElementTree

import pytest

from tests.benchmarks.chart import NAMES, NOT_DRAWN, Scale, draw
from tests.benchmarks.drawing import MARKS, NORMAL, SPARE_MARKS, width_of, wrap
from tests.benchmarks.invented import CPU, EXCHANGED, invented_row, invented_run
from tests.benchmarks.results import Run
from tests.benchmarks.rows import ROWS

SVG = "{http://www.w3.org/2000/svg}"
BOLD = 1.13
"""How much wider a bold letter is."""

Box = tuple[float, float, float, float]


def only(*names: str) -> Run:
    run = invented_run()
    for row in run.rows:
        row.rounds = {name: rounds for name, rounds in row.rounds.items() if name in names}
    return run


def awkward() -> Run:
    """Names and figures that a chart was not made for."""
    run = invented_run()
    run.heading |= {"<b>&": "\"quoted\" 'twice' <!-- ]]> \x00 \ud800"}
    title = "</text><script>alert(1)</script> & so on, " + "for a very long time " * 6 + "long" * 50
    values = {"reactor": 5000.0, "uvloop": 1.0, "<other> & \x07": 1e-6, "gevent": 1e9}
    values |= {"trio": 1.1, "curio": 1.2, "tornado": 1.3}
    run.rows += [
        invented_row("odd", title, EXCHANGED, {"cpu": 1e-6}, values),
        invented_row("nil", "nothing at all", (CPU,), {"cpu": 0.0}, {"reactor": 1.0, "uvloop": 1.0}),
    ]
    return run


def extreme() -> Run:
    """The largest and the smallest figures that a float can hold, as only a file could bring them."""
    rows = []
    pairs = {"far": (1e-300, 1.0), "further": (5e-324, 1.0), "furthest": (5e-324, 1.7e308), "back": (1.7e308, 1.0)}
    for name, values in pairs.items():
        row = invented_row(name, name, (CPU,), {"cpu": 1.0}, {"reactor": 1.0, "uvloop": 1.0, "asyncio": 1.0})
        for contestant, value in zip(row.rounds, (*values, 1.0), strict=True):
            for each in row.rounds[contestant]:
                each.figures["cpu"] = value
        rows.append(row)
    return Run({}, rows)


RUNS: dict[str, Callable[[], Run]] = {
    "everything": invented_run,
    "awkward": awkward,
    "extreme": extreme,
    "reactor alone": lambda: only("reactor"),
    "without reactor": lambda: only("asyncio", "uvloop"),
    "without uvloop": lambda: only("reactor", "asyncio", "threads"),
    "nothing": lambda: Run({}),
}


@pytest.fixture(params=RUNS)
def run(request: pytest.FixtureRequest) -> Run:
    return RUNS[str(request.param)]()


def boxes(root: ElementTree.Element) -> Iterator[tuple[str, Box]]:
    """What each painted element covers, as left, top, right, bottom."""
    for element in root:
        number = {name: float(value) for name, value in element.items() if re.fullmatch(r"-?[\d.]+", value)}
        match element.tag.removeprefix(SVG):
            case "rect":
                x, y = number["x"], number["y"]
                assert number["width"] >= 0
                yield element.get("class", "rect"), (x, y, x + number["width"], y + number["height"])
            case "line":
                yield "line", (number["x1"], number["y1"], number["x2"], number["y2"])
            case "path":
                found = re.fullmatch(r"translate\((\S+) (\S+)\)", element.get("transform", ""))
                assert found
                x, y = float(found[1]), float(found[2])
                reach = 5.2 if any(element.get("d") == shape for shape, _ in [*MARKS.values(), *SPARE_MARKS]) else 12
                yield "path", (x - reach, y - 5.2, x + reach, y + 5.2)
            case "text":
                size, content = number["font-size"], element.text or ""
                width = width_of(content, size) * (BOLD if "strong" in element.get("class", "") else 1)
                left = number["x"] - {"start": 0, "middle": 0.5, "end": 1}[element.get("text-anchor", "")] * width
                yield content, (left, number["y"] - 0.76 * size, left + width, number["y"] + 0.24 * size)


def test_the_picture_is_well_formed_and_says_what_it_shows(run: Run) -> None:
    svg = draw(run)
    svg.encode("utf-8")
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img" and root.get("aria-labelledby") == "title description"
    assert [element.get("id") for element in root[:2]] == ["title", "description"]
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"
    tags = {element.tag.removeprefix(SVG) for element in root}
    assert tags <= {"title", "desc", "style", "rect", "line", "text", "path"}
    for forbidden in ("<script", "http://", "https://", "url(", "@import", "href"):
        assert forbidden not in svg.replace(SVG.strip("{}"), "")


def test_nothing_lies_outside_of_the_picture(run: Run) -> None:
    root = ElementTree.fromstring(draw(run))
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for name, (left, top, right, bottom) in boxes(root):
        assert 0 <= left <= right <= width and 0 <= top <= bottom <= height, name


def test_no_text_lies_on_another_nor_on_a_mark_nor_a_mark_on_a_bar(run: Run) -> None:
    placed = list(boxes(ElementTree.fromstring(draw(run))))
    texts = [each for each in placed if each[0] not in ("page", "line", "path", "better", "worse")]
    assert len(texts) > 3
    marks = [each for each in placed if each[0] == "path"]
    bars = [each for each in placed if each[0] in ("better", "worse")]
    for (one, a), (other, b) in [*combinations(texts, 2), *product(marks, texts + bars), *product(texts, bars)]:
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], (one, other)


def test_every_row_and_every_contestant_is_there() -> None:
    run = invented_run()
    root = ElementTree.fromstring(draw(run))
    shown = " ".join(element.text or "" for element in root.iter(f"{SVG}text"))
    described = root.findtext(f"{SVG}desc", "")
    for row in run.rows:
        assert row.title in shown and row.title in described
        for name in row.rounds:
            assert NAMES.get(name, name) in shown and name in described
    for name, value in run.heading.items():
        assert (value in shown.replace("\N{NO-BREAK SPACE}", " ")) == (name not in NOT_DRAWN), name


def test_the_picture_says_what_is_compared() -> None:
    explained = [element.text or "" for element in ElementTree.fromstring(draw(invented_run())).iter(f"{SVG}text")][1]
    assert "in CPU time of the server for a message, unless the line says otherwise." in explained


def test_every_contestant_has_a_sign_of_its_own_and_the_interpreter_alone_is_no_loop() -> None:
    names = {name for row in ROWS.values() for name in row.contestants} - {"reactor", "redis-server"}
    assert names <= set(MARKS) and len({MARKS[name] for name in names} | set(SPARE_MARKS)) == len(names) + 4
    assert NAMES["python"] != NAMES["bare"]
    assert {"asyncio-joined", "uvloop-joined", "python"} <= set(MARKS)


@pytest.mark.parametrize(
    ("text", "pixels"),
    [
        ("length-prefixed frames of 64 B, pipelined by 100", 292),
        ("import, and a process with a listening server that nobody has connected to", 453),
        ("PING, SET and GET from redis-benchmark, 50 connections", 350),
        ("MB WWW %", 77),
    ],
)
def test_a_text_is_taken_to_be_as_wide_as_in_dejavu_sans_and_not_much_wider(text: str, pixels: float) -> None:
    assert pixels - 1 <= width_of(text, NORMAL) <= 1.06 * pixels


def test_lines_are_broken_between_words_but_not_at_hyphens() -> None:
    assert wrap("once two-three", width_of("once two-", 12), 12) == ["once", "two-three"]
    assert wrap("one two-three", width_of("one two-three", 12), 12) == ["one two-three"]
    assert wrap("iiii", 2.5 * width_of("i", 12), 12) == ["ii", "ii"]
    assert wrap("i\N{NO-BREAK SPACE}i i", 1, 12) == ["i", "\N{NO-BREAK SPACE}", "i", "i"]
    assert wrap(" ", 100, 12) == []


def test_two_figures_of_one_row_are_two_lines_below_its_title() -> None:
    texts = [element.text for element in ElementTree.fromstring(draw(invented_run())).iter(f"{SVG}text")]
    start = texts.index("timers, with 100,000 others alive")
    assert texts[start + 1 : start + 8 : 3] == ["µs CPU/set", "µs CPU/cancel", "µs CPU/fire"]


def test_a_bar_goes_to_the_right_of_one_where_reactor_is_better_and_to_the_left_where_not() -> None:
    def bar(efficiency: float) -> tuple[str, float, float]:
        row = invented_row("echo", "title", (CPU,), {"cpu": 1e-6}, {"reactor": efficiency, "uvloop": 1.0})
        root = ElementTree.fromstring(draw(Run({}, [row])))
        (one,) = [float(line.get("x1", 0)) for line in root.iter(f"{SVG}line") if line.get("class") == "one"][1:]
        body, _ = [rect for rect in root.iter(f"{SVG}rect") if rect.get("class") in ("better", "worse")][2:]
        left = float(body.get("x", 0))
        return body.get("class", ""), left - one, left + float(body.get("width", 0)) - one

    kind, left, right = bar(2.0)
    assert kind == "better" and left == 0 and right > 20
    kind, left, right = bar(0.5)
    assert kind == "worse" and left < -20 and abs(right) < 0.2


def test_without_uvloop_asyncio_is_one_and_without_both_a_part_says_so() -> None:
    texts = [element.text for element in ElementTree.fromstring(draw(only("reactor", "asyncio"))).iter(f"{SVG}text")]
    assert "compared with asyncio" in texts and "asyncio = 1" in texts and "by itself" in texts
    assert "compared with uvloop" not in texts
    texts = [element.text for element in ElementTree.fromstring(draw(invented_run())).iter(f"{SVG}text")]
    assert [text for text in texts if text and text.endswith("= 1")] == ["uvloop = 1", "redis-server = 1"]


def test_each_doubling_is_as_wide_as_the_next_and_what_is_beyond_stays_at_the_end() -> None:
    scale = Scale([0.5, 10.0])
    assert scale.x(8) - scale.x(4) == pytest.approx(scale.x(1) - scale.x(0.5))
    assert 1 in scale.ticks() and set(scale.ticks()) <= {2.0**exponent for exponent in range(-5, 6)}
    assert scale.x(1e9) > scale.x(10) and scale.x(1e9) == scale.x(1e12)
    assert scale.beyond(1e9) and scale.beyond(1e-9) and not scale.beyond(10.0)
    assert Scale([2.0**1000]).x(1e9) == Scale([2.0**1000]).x(2.0**1000) and max(Scale([2.0**1000]).ticks()) < 2**11


def test_a_reader_in_the_dark_gets_other_colours() -> None:
    style = ElementTree.fromstring(draw(invented_run())).findtext(f"{SVG}style", "")
    light, _, dark = style.partition("@media (prefers-color-scheme: dark)")
    used = set(re.findall(r"\.(\w+) {[^}]*#", light))
    assert used and used == set(re.findall(r"\.(\w+) {[^}]*#", dark))
