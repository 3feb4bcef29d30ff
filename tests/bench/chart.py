"""The ratios as a chart in SVG: for each instruction set a panel of bars for medians, against
PyTorch and against the fastest other code, with lines from minimum to maximum."""

from __future__ import annotations

import math
from typing import Any
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT = 720, 250, 60
ROW, HEAD, AXIS, TOP, BOTTOM = 28, 26, 26, 34, 26
TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
COLOURS = {"PyTorch": "#4477aa", "rival": "#ee8866"}


def merge(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of one thread, the same work in one: its label, and the ratios by peer."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in rows:
        if row["threads"] > 1 or "cpu_ratios" not in row:
            continue
        key = row["model"].removesuffix("-float64"), row["system"], row["precision"]
        other = row["compiled"] or row["family"] == "symmetrix"
        title = row["title"].split(", compiled")[0].split(" by ")[0]
        label = f"{title}, {row['system']}" + (", float64" if key[2] == "float64" else "")
        bars = found.setdefault(key, {"label": label, "bars": {}})["bars"]
        bars["rival" if other else "PyTorch"] = row["cpu_ratios"]
    return list(found.values())


def draw(panels: list[tuple[str, list[dict[str, Any]]]]) -> str:
    """Panels of a caption and rows of ratios.py each; axes of ratios in logarithms, from 1."""
    merged = [(caption, merge(rows)) for caption, rows in panels]
    ratios = [b[2] for _, rows in merged for row in rows for b in row["bars"].values()]
    top = max([2.0, *ratios]) * 1.1
    parts, y = [], TOP
    for caption, rows in merged:
        parts += panel(caption, rows, y, top)
        y += HEAD + ROW * len(rows) + AXIS
    height = y + BOTTOM
    legend = (
        f'<text x="{LEFT}" y="{height - 8}" fill="#666">'
        f'<tspan fill="{COLOURS["PyTorch"]}">in PyTorch</tspan>, '
        f'<tspan fill="{COLOURS["rival"]}">fastest other (Symmetrix-XL, compiled NequIP)</tspan>'
        "; line: least to most</text>"
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            'font-family="sans-serif" font-size="12">',
            f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
            '<text x="12" y="20" font-size="15">Times faster than other codes: energy, forces, '
            "stress, one thread</text>",
            *parts,
            legend + "</svg>\n",
        ]
    )


def panel(caption: str, rows: list[dict[str, Any]], y: int, top: float) -> list[str]:
    def x(ratio: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(max(ratio, 1.0)) / math.log(top)

    begin, end = y + HEAD, y + HEAD + ROW * len(rows)
    parts = [f'<text x="12" y="{y + 16}" fill="#666">{escape(caption)}</text>']
    for tick in [t for t in TICKS if t <= top]:
        parts.append(
            f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{begin}" y2="{end}" stroke="#ddd"/>'
            f'<text x="{x(tick):.1f}" y="{end + 15}" text-anchor="middle" fill="#666">{tick}'
            "</text>"
        )
    for i, row in enumerate(rows):
        at = begin + ROW * i
        parts.append(
            f'<text x="{LEFT - 8}" y="{at + ROW / 2 + 4:.1f}" text-anchor="end">'
            f"{escape(row['label'])}</text>"
        )
        shown = [peer for peer in COLOURS if peer in row["bars"]]
        for j, peer in enumerate(shown):
            low, middle, high = row["bars"][peer]
            tall = (ROW - 6) / len(shown)
            of_bar = at + 3 + tall * j
            centre = of_bar + tall / 2
            parts.append(
                f'<rect x="{LEFT}" y="{of_bar:.1f}" width="{x(middle) - LEFT:.1f}" '
                f'height="{tall - 1:.1f}" fill="{COLOURS[peer]}"/>'
                f'<line x1="{x(low):.1f}" x2="{x(high):.1f}" y1="{centre:.1f}" y2="{centre:.1f}" '
                'stroke="#222"/>'
                f'<text x="{x(high) + 6:.1f}" y="{centre + 4:.1f}" font-size="10">'
                f"{middle:.{0 if middle >= 10 else 1}f}</text>"
            )
    return parts
