"""The ratios as a chart in SVG: bars for medians, lines from minimum to maximum, targets."""

from __future__ import annotations

import math
from typing import Any
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT = 720, 250, 60
ROW, TOP, BOTTOM = 26, 56, 34
TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500)


def draw(rows: list[dict[str, Any]], caption: str) -> str:
    """Axis of ratios in logarithms, from 1."""
    top = max([2.0, *(max(row["ratio"][2], row["target"] or 0) for row in rows)]) * 1.1
    height = TOP + ROW * len(rows) + BOTTOM

    def x(ratio: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(max(ratio, 1.0)) / math.log(top)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        '<text x="12" y="20" font-size="15">Times faster than upstream: energy, forces, stress'
        "</text>",
        f'<text x="12" y="38" fill="#666">{escape(caption)}</text>',
    ]
    bottom = TOP + ROW * len(rows)
    for tick in [t for t in TICKS if t <= top]:
        parts.append(
            f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{TOP}" y2="{bottom}" stroke="#ddd"/>'
            f'<text x="{x(tick):.1f}" y="{bottom + 15}" text-anchor="middle" fill="#666">{tick}'
            "</text>"
        )
    for i, row in enumerate(rows):
        low, middle, high = row["ratio"]
        y = TOP + ROW * i + ROW / 2
        label = f"{row['title']}, {row['system']}" + (
            ", float64" if row["precision"] == "float64" else ""
        )
        parts.append(
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(label)}</text>'
            f'<rect x="{LEFT}" y="{y - 7:.1f}" width="{x(middle) - LEFT:.1f}" height="14" '
            'fill="#4477aa"/>'
            f'<line x1="{x(low):.1f}" x2="{x(high):.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="#222"/>'
            f'<text x="{x(max(high, row["target"] or 0)) + 6:.1f}" y="{y + 4:.1f}">'
            f"{middle:.0f}</text>"
        )
        if row["target"]:
            parts.append(
                f'<line x1="{x(row["target"]):.1f}" x2="{x(row["target"]):.1f}" y1="{y - 10:.1f}" '
                f'y2="{y + 10:.1f}" stroke="#cc3311" stroke-width="2"/>'
            )
    parts.append(
        f'<text x="{LEFT}" y="{height - 5}" fill="#666">bar: median; line: minimum to maximum; '
        '<tspan fill="#cc3311">red: target</tspan></text></svg>'
    )
    return "\n".join(parts) + "\n"
