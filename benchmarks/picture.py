"""The figures that people compare, as a picture: what a request with a live session costs over its bare application, ours beside those of peers, on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from math import log10

_ROW, _LEFT, _WIDTH, _TOP = 26, 250, 460, 58
_OURS, _THEIRS = "#2563eb", "#94a3b8"
_STYLE = 'font-family="system-ui, sans-serif" font-size="13" role="img" aria-labelledby="title"'
_LEAST = 0.1
"""Microseconds at the left end: what is less shows as nothing."""

Figures = Mapping[str, Mapping[str, Mapping[str, float]]]


def bars(figures: Figures) -> list[tuple[str, float, bool]]:
    """Name, microseconds and whether it is ours, the cheapest first."""
    ours = figures["a request over its bare application, microseconds"]
    theirs = figures["the same with peers"]
    every = [(f"authmw, {name}", columns["live session"], True) for name, columns in ours.items()]
    every += [(name, columns["live session"], False) for name, columns in theirs.items()]
    return sorted(every, key=lambda bar: bar[1])


def picture(figures: Figures) -> str:
    """An SVG document."""
    shown = bars(figures)
    most = max([10.0, *(figure for _, figure, _ in shown)])
    span = log10(most / _LEAST)

    def length(figure: float) -> float:
        return max(0.0, log10(max(figure, _LEAST) / _LEAST) / span * _WIDTH)

    height = _TOP + _ROW * len(shown) + 34
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 110}" height="{height}" {_STYLE}>',
        '<title id="title">What a request with a live session costs over its bare application</title>',
        f'<rect width="100%" height="{height}" fill="#ffffff"/>',
        '<text x="16" y="26" font-size="16" font-weight="600">What a signed-in request costs over its bare application</text>',
        '<text x="16" y="44" fill="#475569">Microseconds of processor, one process, one run; logarithmic scale</text>',
    ]
    power = _LEAST
    while power <= most:
        x = _LEFT + length(power)
        bottom = _TOP + _ROW * len(shown)
        parts.append(f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}" stroke="#e2e8f0"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle" fill="#475569">{power:g}</text>')
        power *= 10
    for number, (name, figure, ours) in enumerate(shown):
        y = _TOP + _ROW * number
        parts.append(f'<text x="{_LEFT - 10}" y="{y + 17}" text-anchor="end">{escape(name)}</text>')
        parts.append(
            f'<rect x="{_LEFT}" y="{y + 4}" width="{length(figure):.1f}" height="{_ROW - 8}" rx="2" '
            f'fill="{_OURS if ours else _THEIRS}"/>'
        )
        parts.append(f'<text x="{_LEFT + length(figure) + 8:.1f}" y="{y + 17}">{figure:.1f} µs</text>')
    return "\n".join([*parts, "</svg>", ""])
