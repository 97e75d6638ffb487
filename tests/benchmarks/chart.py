"""A run as one picture, for the top of a README: how many times better than uvloop, one line for each headline figure.

What is compared are ratios, and a ratio of 2 is as far from 1 as one of a half is: so the scale is logarithmic, each
grid line twice the one before, and a bar starts at 1, to the right where `reactor` is better and to the left where it
is not, so that its colour is not needed to tell. The block at its end goes from its worst round to its best. The others
are marks below the bar, where they do not hide one that ends near 1. The scale is as wide as the bars need it, up to a
thousand times; a mark that lies beyond it is drawn at its end, with an arrow. Where uvloop did not take part, the line
is in a part of its own, measured against somebody else, and says so; where nobody else did, only the figure itself is
there. Better is not faster: what is compared is what a server needs for a message, and that stands above the bars.

The description of the picture holds all its figures as text, for those who are read to. How it is painted, and what
that takes care of, is in `drawing`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from xml.sax.saxutils import escape

from tests.benchmarks.drawing import (
    LEADING,
    MARKS,
    NORMAL,
    SMALL,
    SPARE_MARKS,
    STYLE,
    Canvas,
    Mark,
    printable,
    width_of,
    wrap,
)
from tests.benchmarks.results import OURS, Measured, Run, times_better
from tests.benchmarks.row import Figure

__all__ = ["draw"]

TITLE = "reactor beside other event loops"
MEASURE = "CPU time of the server for a message, unless the line says otherwise"
REFERENCES = ("uvloop", "asyncio", "redis-server")
"""The first of these that took part is 1."""
NAMES = {
    "bare": "bare epoll loop in Python",
    "C": "epoll server in C",
    "threads": "thread per connection",
    "asyncio-protocol": "asyncio, protocol by hand",
    "uvloop-protocol": "uvloop, protocol by hand",
    "asyncio-joined": "asyncio, by hand, answers joined",
    "uvloop-joined": "uvloop, by hand, answers joined",
    "python": "the interpreter alone",
}
"""What the legend says instead of the short names."""

WIDTH, MARGIN = 900, 24
LABELS = (MARGIN, 332)
PLOT = (346, 654)
RATIO_END = 724
VALUES = (732, WIDTH - MARGIN)
INDENT = 14
BAR, CAP, MARK = 9, 14, 9
"""The heights of a bar, of the block at its end, and of the marks below it."""
LINE_GAP, FAMILY_GAP, PART_GAP = 6.0, 8.0, 28.0
LEAST_TICKS = 38.0
"""Between two numbers on the scale."""
MORE = 0.7
"""How many doublings the scale goes on beyond the bars."""
FURTHEST = 10.0
"""How many doublings from 1 a bar is drawn; its number says how long it should have been."""
NOT_DRAWN = ("command",)
"""Parts of the heading that mean nothing where the picture is shown."""


@dataclass
class Line:
    """One headline figure of one row. Ratios are those to the reference of the part that the line is in.

    `heading` is the row's title if it has several such figures, which then stand below it.
    """

    family: str
    heading: str
    label: str
    value: str = ""
    ratios: dict[str, float] = field(default_factory=dict)
    range: list[float] = field(default_factory=list)


@dataclass
class Part:
    """The lines that have the same reference; None if they have none."""

    reference: str | None
    lines: list[Line] = field(default_factory=list)


def collect(run: Run) -> list[Part]:
    """What is to be drawn, in the order of the rows, those with the same reference together."""
    parts: dict[str | None, Part] = {}
    for row in run.rows:
        for figure in row.headlines:
            measured = [name for name in row.rounds if row.spread(name, figure.key)]
            if measured:
                reference = next((name for name in REFERENCES if row.ratio(figure, name, name)), None)
                parts.setdefault(reference, Part(reference)).lines.append(make_line(row, figure, reference))
    return list(parts.values())


def make_line(row: Measured, figure: Figure, reference: str | None) -> Line:
    alone = len(row.headlines) == 1
    line = Line(row.name.partition("-")[0], "" if alone else row.title, row.title if alone else figure.heading)
    own = row.spread(OURS, figure.key)
    if own:
        line.value = figure.format(own.median) + (f" {figure.heading}" if alone else "")
    base = row.spread(reference, figure.key) if reference else None
    if base:
        ratios = {name: row.ratio(figure, name, str(reference)) for name in row.rounds}
        line.ratios = {name: ratio for name, ratio in ratios.items() if ratio}
        if own:
            ends = [times_better(figure, end, base.median) for end in (own.least, own.most)]
            line.range = [end for end in ends if end]
    return line


class Scale:
    """Where a ratio is on the horizontal axis; each doubling is as wide as the next. `bars` have to be on it."""

    def __init__(self, bars: Iterable[float]) -> None:
        exponents = [math.log2(ratio) for ratio in bars]
        self._low = max(min([-1.0, *exponents]), -FURTHEST) - MORE
        self._high = min(max([1.0, *exponents]), FURTHEST) + MORE
        self._width = (PLOT[1] - PLOT[0]) / (self._high - self._low)

    def x(self, ratio: float) -> float:
        """Of a ratio that is beyond the scale, the end of the scale."""
        exponent = min(max(math.log2(ratio), self._low), self._high)
        return PLOT[0] + (exponent - self._low) * self._width

    def beyond(self, ratio: float) -> str:
        """The outline of an arrow if `ratio` is not on the scale."""
        if math.log2(ratio) < self._low:
            return "M-7 -4l-5 4l5 4z"
        return "M7 -4l5 4l-5 4z" if math.log2(ratio) > self._high else ""

    def ticks(self) -> list[float]:
        """Powers of two, 1 among them, as many as have room for their number."""
        step = math.ceil(LEAST_TICKS / self._width)
        first, last = math.ceil(self._low / step), math.floor(self._high / step)
        return [2.0 ** (step * number) for number in range(first, last + 1)]


def draw(run: Run) -> str:
    """The picture of `run` as the text of an SVG file."""
    parts = collect(run)
    names = list(dict.fromkeys(name for part in parts for line in part.lines for name in line.ratios if name != OURS))
    spare = (name for name in names if name not in MARKS)
    marks = MARKS | dict(zip(spare, cycle(SPARE_MARKS)))
    scale = Scale(ratio for part in parts for line in part.lines for ratio in line.range)
    references = list(dict.fromkeys(part.reference for part in parts if part.reference))
    canvas = Canvas(MARGIN)
    draw_heading(canvas, references)
    draw_legend(canvas, [name for name in names if shown_as_mark(name, parts)], references, marks)
    for part in parts:
        draw_part(canvas, part, scale, marks)
    draw_caption(canvas, run)
    height = math.ceil(canvas.y + MARGIN)
    page = f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8" class="page"/>'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
            ' role="img" aria-labelledby="title description">',
            f'<title id="title">{escape(TITLE)}</title>',
            f'<desc id="description">{escape(printable(describe(parts)))}</desc>',
            f"<style>{STYLE}</style>",
            page,
            *canvas.lines,
            *canvas.elements,
            "</svg>\n",
        ]
    )


def shown_as_mark(name: str, parts: Sequence[Part]) -> bool:
    """Who is the reference of every line that they are in needs no mark."""
    return any(name in line.ratios and name != part.reference for part in parts for line in part.lines)


def describe(parts: Sequence[Part]) -> str:
    """All of it in words and figures."""
    told = []
    for part in parts:
        for line in part.lines:
            ratios = ", ".join(f"{name} {ratio:.2f}" for name, ratio in line.ratios.items() if name != part.reference)
            label = ", ".join(filter(None, (line.heading, line.label)))
            told.append(f"{label}: {line.value}" + (f"; with {part.reference} as 1: {ratios}" if ratios else "") + ".")
    return "\n".join(told)


def draw_heading(canvas: Canvas, references: Sequence[str]) -> None:
    canvas.text(MARGIN, canvas.y + 8, TITLE, "text strong", 19.0)
    canvas.y += 34
    than = references[0] if len(references) == 1 else "who stands at 1"
    explained = [f"How many times better than {than}, in {MEASURE}."] if references else []
    explained += ["Medians of all rounds." + (" Each grid line is twice the one before." if references else "")]
    for sentence in explained:
        canvas.text(MARGIN, canvas.y, sentence, "muted")
        canvas.y += NORMAL * LEADING
    canvas.y += 11


def draw_legend(canvas: Canvas, names: Sequence[str], references: Sequence[str], marks: Mapping[str, Mark]) -> None:
    """What the signs mean, in as many lines as that takes."""
    x = float(MARGIN)
    signs = [(f"{OURS}, better", "better"), (f"{OURS}, not as good", "worse")]
    if references:
        signs.append((" or ".join(references), "one"))
    for name, kind in [*signs, *((name, "") for name in names)]:
        content = NAMES.get(name, name)
        width = 24 + width_of(content, NORMAL) + 14
        if x + width > WIDTH - MARGIN and x > MARGIN:
            x = float(MARGIN)
            canvas.y += 22
        if not kind:
            canvas.mark(marks[name], x + 8, canvas.y)
        elif kind == "one":
            canvas.add("line", x1=x + 8, x2=x + 8, y1=canvas.y - 8, y2=canvas.y + 8, class_=kind)
        else:
            canvas.add("rect", x=x, y=canvas.y - BAR / 2, width=16, height=BAR, rx=2, class_=kind)
        canvas.text(x + 24, canvas.y, content, "text")
        x += width
    canvas.y += 14


def draw_part(canvas: Canvas, part: Part, scale: Scale, marks: Mapping[str, Mark]) -> None:
    """A scale with the reference at 1, and its lines below."""
    canvas.y += PART_GAP
    canvas.text(MARGIN, canvas.y, f"compared with {part.reference}" if part.reference else "by itself", "text strong")
    canvas.text(VALUES[1], canvas.y, f"{OURS}'s median", "muted", SMALL, "end")
    if part.reference:
        canvas.text(scale.x(1), canvas.y, f"{part.reference} = 1", "text strong", SMALL, "middle")
        canvas.text(RATIO_END, canvas.y, OURS, "muted", SMALL, "end")
        for tick in scale.ticks():
            canvas.text(scale.x(tick), canvas.y + 16, fraction(tick), "muted", SMALL, "middle")
        canvas.y += 16
    canvas.y += 12
    top = canvas.y
    sizes = Counter(line.family for line in part.lines)
    previous: Line | None = None
    for line in part.lines:
        if previous and line.family != previous.family and max(sizes[line.family], sizes[previous.family]) > 1:
            canvas.y += FAMILY_GAP
        if line.heading and (previous is None or line.heading != previous.heading):
            draw_label(canvas, line.heading)
        draw_line(canvas, line, part.reference, scale, marks)
        previous = line
    for tick in scale.ticks() if part.reference else ():
        x, kind = scale.x(tick), "one" if tick == 1 else "grid"
        canvas.add("line", x1=x, x2=x, y1=top, y2=canvas.y, class_=kind)


def fraction(tick: float) -> str:
    """A power of two, as people write it."""
    return f"{tick:,.0f}" if tick >= 1 else f"1/{1 / tick:,.0f}"


def times(ratio: float) -> str:
    """To a hundredth, or to three digits where these are fewer."""
    if ratio >= 1e5:  # not a measurement any more
        return f"{ratio:.0e}\N{MULTIPLICATION SIGN}"
    return f"{ratio:,.{2 if ratio < 10 else 1 if ratio < 100 else 0}f}\N{MULTIPLICATION SIGN}"


def draw_label(canvas: Canvas, heading: str) -> None:
    """What the lines below have in common."""
    lines = wrap(heading, LABELS[1] - LABELS[0], NORMAL)
    height = len(lines) * NORMAL * LEADING + LINE_GAP
    canvas.text(LABELS[0], canvas.y + height / 2, lines, "text")
    canvas.y += height


def draw_line(canvas: Canvas, line: Line, reference: str | None, scale: Scale, marks: Mapping[str, Mark]) -> None:
    """Its label, the bar and the marks, and its figures."""
    left = LABELS[0] + (INDENT if line.heading else 0)
    labels = wrap(line.label, LABELS[1] - left, NORMAL)
    values = wrap(line.value, VALUES[1] - VALUES[0], SMALL)
    others = [name for name in line.ratios if name not in (OURS, reference)]
    below = MARK if others else 0
    height = max(len(labels) * NORMAL * LEADING, len(values) * SMALL * LEADING, CAP + below) + LINE_GAP
    y = canvas.y + height / 2
    canvas.add("line", x1=MARGIN, x2=WIDTH - MARGIN, y1=canvas.y + height, y2=canvas.y + height, class_="rule")
    canvas.text(left, y, labels, "muted" if line.heading else "text")
    canvas.text(VALUES[1], y, values, "muted", SMALL, "end")
    own = line.ratios.get(OURS)
    if own:
        draw_bar(canvas, scale.x(1), scale.x(own), [scale.x(end) for end in line.range], y - below / 2, own)
        canvas.text(RATIO_END, y, times(own), "text strong", NORMAL, "end")
    for name in others:
        ratio, (shape, colour) = line.ratios[name], marks[name]
        canvas.mark((shape + scale.beyond(ratio), colour), scale.x(ratio), y + CAP / 2 + 1)
    canvas.y += height


def draw_bar(canvas: Canvas, one: float, end: float, ends: Sequence[float], y: float, ratio: float) -> None:
    """From 1 to the median, and the range around that, at least as wide as can be seen."""
    kind = "better" if ratio >= 1 else "worse"
    canvas.add("rect", x=min(one, end), y=y - BAR / 2, width=abs(end - one), height=BAR, class_=kind)
    left, right = min([end - 2.0, *ends]), max([end + 2.0, *ends])
    canvas.add("rect", x=left, y=y - CAP / 2, width=right - left, height=CAP, rx=1.5, class_=kind)


def draw_caption(canvas: Canvas, run: Run) -> None:
    """Where, when and how, and the versions that the heading does not know."""
    facts = [f"{name}: {value}" for name, value in run.heading.items() if name not in NOT_DRAWN]
    known = " ".join(facts)
    facts += [text for name, version in run.versions.items() if (text := f"{name} {version}") not in known]
    lines = wrap("\N{NO-BREAK SPACE}\N{MIDDLE DOT} ".join(facts), WIDTH - 2 * MARGIN, SMALL)
    canvas.y += PART_GAP
    height = len(lines) * SMALL * LEADING
    canvas.text(MARGIN, canvas.y + height / 2, lines, "muted", SMALL)
    canvas.y += height
