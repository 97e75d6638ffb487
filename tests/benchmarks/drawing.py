"""The little of SVG that a chart needs: a canvas that is filled from the top, text, and the look of it all.

Such a picture is shown through an `<img>` on pages that may be light or dark: it has no script, no font and no image
from elsewhere, brings its own background, and changes its colours with the reader's. Colour is never the only sign:
marks differ in shape too. The colours are Okabe and Ito's, chosen for those who see fewer of them.

Nobody can know here how wide a text will be, for the font is the reader's. It is taken to be as wide as in the widest
of the usual ones, and broken where it would leave its column; between words, for a hyphen is part of a name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

__all__ = [
    "LEADING",
    "MARKS",
    "NORMAL",
    "SMALL",
    "SPARE_MARKS",
    "STYLE",
    "Canvas",
    "Mark",
    "printable",
    "width_of",
    "wrap",
]

NORMAL, SMALL = 12.0, 11.0
"""Sizes of the font, in pixels, as everything here."""
LEADING = 1.25
"""The height of a line of text in sizes of its font."""
WIDTHS = {" ',./:;IJ\\ijl|\N{MIDDLE DOT}\N{NO-BREAK SPACE}": 0.335, "()-[]frt!": 0.41, "*_?cksz": 0.58}
WIDTHS |= {"ABCKRVXZ": 0.7, "#&+<=>DGHNOQUw~^\N{MULTIPLICATION SIGN}": 0.84, "@%mMW": 1.0}
"""Of the letters of DejaVu Sans, in sizes of the font, rounded up; Arial and Helvetica are an eighth narrower."""
MOST = {letter: width for letters, width in WIDTHS.items() for letter in letters}
OTHERS, WIDE = 0.64, 1.05
"""What the others are as wide as, and from `FIRST_WIDE` on."""
FIRST_WIDE = "\u1100"

STYLE = """
text { font-family: -apple-system, "Segoe UI", "Helvetica Neue", Helvetica, Arial, "DejaVu Sans", sans-serif }
.page { fill: #ffffff; stroke: #d1d9e0 } .text { fill: #1f2328 } .muted { fill: #59636e }
.strong { font-weight: 600 } .rule { stroke: #eff2f5 } .grid { stroke: #e3e8ed }
.one { stroke: #1f2328; stroke-width: 1.5 } .better { fill: #0072b2 } .worse { fill: #d55e00 }
.mark { stroke: #ffffff; stroke-width: 1.25; paint-order: stroke }
.amber { fill: #e69f00 } .pink { fill: #cc79a7 } .green { fill: #009e73 } .plain { fill: #1f2328 }
@media (prefers-color-scheme: dark) {
.page { fill: #0d1117; stroke: #3d444d } .text { fill: #f0f6fc } .muted { fill: #9198a1 }
.rule { stroke: #1c222b } .grid { stroke: #2a313c } .one { stroke: #f0f6fc }
.better { fill: #2f8fd8 } .worse { fill: #e2702a }
.mark { stroke: #0d1117 }
.amber { fill: #f0b429 } .pink { fill: #e08fbf } .green { fill: #2ec495 } .plain { fill: #f0f6fc }
}
"""

CIRCLE = "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z"
RING = "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0zM-2.4 0a2.4 2.4 0 1 1 4.8 0a2.4 2.4 0 1 1 -4.8 0z"
SQUARE, DIAMOND = "M-3.7 -3.7h7.4v7.4h-7.4z", "M0 -5.2l5.2 5.2l-5.2 5.2l-5.2 -5.2z"
TRIANGLE, UPSIDE_DOWN = "M0 -5l5.2 9h-10.4z", "M0 5l5.2 -9h-10.4z"
PILLAR, PLUS = "M-1.75 -5.5h3.5v11h-3.5z", "M-1.6 -5h3.2v3.4h3.4v3.2h-3.4v3.4h-3.2v-3.4h-3.4v-3.2h3.4z"
TWO_PILLARS = "M-4.2 -5.5h3v11h-3zM1.2 -5.5h3v11h-3z"

Mark = tuple[str, str]
"""The path of its outline around the origin, and its colour, as a class of `STYLE`."""
MARKS: dict[str, Mark] = {
    "asyncio": (CIRCLE, "amber"),
    "asyncio-protocol": (RING, "amber"),
    "uvloop": (PILLAR, "plain"),
    "uvloop-protocol": (PILLAR, "green"),
    "asyncio-joined": (UPSIDE_DOWN, "amber"),
    "uvloop-joined": (TWO_PILLARS, "green"),
    "threads": (SQUARE, "pink"),
    "bare": (DIAMOND, "green"),
    "C": (TRIANGLE, "plain"),
    "python": (PLUS, "plain"),
}
"""By contestant."""
SPARE_MARKS: list[Mark] = [(PLUS, "green"), (UPSIDE_DOWN, "pink"), (PLUS, "amber"), (UPSIDE_DOWN, "plain")]
"""For those who are not in `MARKS`, in turn."""


class Canvas:
    """The elements in the order in which they are painted, first the lines, and `y`: how far down they reach."""

    def __init__(self, top: float) -> None:
        self.lines: list[str] = []
        self.elements: list[str] = []
        self.y = top

    def add(self, tag: str, content: str = "", **attributes: object) -> None:
        """`class_` stands for `class`, `_` in a name for `-`. Nothing in it can be taken for markup."""
        pairs = ((name.rstrip("_").replace("_", "-"), printable(value)) for name, value in attributes.items())
        start = " ".join([tag, *(f"{name}={quoteattr(value)}" for name, value in pairs)])
        layer = self.lines if tag == "line" else self.elements
        layer.append(f"<{start}>{escape(printable(content))}</{tag}>" if content else f"<{start}/>")

    def text(
        self, x: float, y: float, lines: str | Sequence[str], kind: str, size: float = NORMAL, anchor: str = "start"
    ) -> None:
        """A line of text, or some, whose middle, of all of them together, is at the height `y`."""
        lines = [lines] if isinstance(lines, str) else lines
        middle = y - (len(lines) - 1) * size * LEADING / 2
        for content in filter(None, lines):
            baseline = middle + 0.35 * size
            self.add("text", content, x=x, y=baseline, font_size=size, text_anchor=anchor, class_=kind)
            middle += size * LEADING

    def mark(self, mark: Mark, x: float, y: float) -> None:
        shape, colour = mark
        self.add("path", d=shape, class_=f"mark {colour}", transform=f"translate({printable(x)} {printable(y)})")


def printable(value: object) -> str:
    """A number in tenths of a pixel; a text without the characters that XML cannot hold, not even escaped."""
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\N{REPLACEMENT CHARACTER}", str(value))


def width_of(text: str, size: float) -> float:
    """At most, in the fonts that are asked for; a bold one is an eighth wider."""
    return size * sum(MOST.get(letter, OTHERS if letter < FIRST_WIDE else WIDE) for letter in text)


def wrap(text: str, width: float, size: float) -> list[str]:
    """`text` in lines that fit into `width`; a word is broken if it does not fit into one of its own."""
    lines: list[str] = []
    for word in re.findall(r"[^ \t\r\n]+", text):  # not at spaces that hold together
        if lines and width_of(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
            continue
        lines.append("")
        for letter in word:
            if lines[-1] and width_of(lines[-1] + letter, size) > width:
                lines.append("")
            lines[-1] += letter
    return lines
