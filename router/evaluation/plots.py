"""Line plots as inline SVG: no script, no style sheet, nothing fetched."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 380, 56, 190, 16, 44
COLOURS = (
    *("#0b6e4f", "#999999", "#c1440e", "#2c5aa0", "#8a5a00", "#7b2d8b", "#e0a100", "#b0306a", "#3b8ea5", "#555555", "#9a9a2f", "#000000"),
)
TICKS = 5


@dataclass(frozen=True, slots=True)
class Line:
    """One series; `dashed` for references, `dots` where the points count and not what lies between."""

    name: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False
    dots: bool = False


@dataclass(frozen=True, slots=True)
class Plot:
    """Axes and their series; `across` is drawn as a horizontal mark with its name, `corners` are two points that the axes take in."""

    title: str
    x: str
    y: str
    lines: Sequence[Line]
    across: tuple[str, float] | None = None
    corners: tuple[tuple[float, float], ...] = ()

    def svg(self) -> str:
        """The drawing, scaled to its points."""
        marks = [*self.corners, *([] if self.across is None else [(self.lines[0].points[0][0], self.across[1])])]
        scale = _Scale.of([*(point for line in self.lines for point in line.points), *marks])
        body = [_axes(self, scale), *(_line(line, COLOURS[place % len(COLOURS)], place, scale) for place, line in enumerate(self.lines))]
        if self.across is not None:
            body.append(_across(*self.across, scale))
        return (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(self.title)}" font-family="sans-serif" font-size="11">'
            + "".join(body)
            + "</svg>"
        )


@dataclass(frozen=True, slots=True)
class _Scale:
    """The ends of both axes, at round numbers, and the distance of their ticks."""

    left: float
    right: float
    across: float
    low: float
    high: float
    up: float

    @classmethod
    def of(cls, points: Sequence[tuple[float, float]]) -> "_Scale":
        return cls(*_axis([x for x, _ in points]), *_axis([y for _, y in points]))

    def at(self, x: float, y: float) -> tuple[float, float]:
        across = LEFT + (x - self.left) / (self.right - self.left) * (WIDTH - LEFT - RIGHT)
        return round(across, 1), round(HEIGHT - BOTTOM - (y - self.low) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM), 1)


def _axis(values: Sequence[float]) -> tuple[float, float, float]:
    """Ends and step: 1, 2 or 5 times a power of ten, about TICKS steps."""
    least, most = min(values, default=0.0), max(values, default=1.0)
    rough = max(most - least, 1e-9 * max(abs(most), 1.0), 1e-12) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(size * power for size in (1, 2, 5, 10) if size * power >= 0.8 * rough)
    low, high = math.floor(least / step + 1e-6) * step, math.ceil(most / step - 1e-6) * step
    return low, max(high, low + step), step


def _ticks(low: float, high: float, step: float) -> list[tuple[float, str]]:
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    return [(low + count * step, f"{low + count * step:.{places}f}") for count in range(round((high - low) / step) + 1)]


def _axes(plot: Plot, scale: _Scale) -> str:
    parts = []
    for x, shown in _ticks(scale.left, scale.right, scale.across):
        across, _ = scale.at(x, scale.low)
        parts.append(f'<path d="M{across} {TOP}V{HEIGHT - BOTTOM}" stroke="#f2f2f2"/>')
        parts.append(f'<text x="{across}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{shown}</text>')
    for y, shown in _ticks(scale.low, scale.high, scale.up):
        _, down = scale.at(scale.left, y)
        parts.append(f'<path d="M{LEFT} {down}H{WIDTH - RIGHT}" stroke="#e8e8e8"/>')
        parts.append(f'<text x="{LEFT - 5}" y="{down + 4}" text-anchor="end">{shown}</text>')
    parts.append(f'<rect x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" height="{HEIGHT - TOP - BOTTOM}" fill="none" stroke="#999"/>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{escape(plot.x)}</text>')
    parts.append(f'<text transform="translate(13 {HEIGHT / 2}) rotate(-90)" text-anchor="middle">{escape(plot.y)}</text>')
    return "".join(parts)


def _line(line: Line, colour: str, place: int, scale: _Scale) -> str:
    spots = [scale.at(x, y) for x, y in line.points]
    dash = ' stroke-dasharray="5 4"' if line.dashed else ""
    width = 2.4 if place == 0 else 1.4
    joined = f'<polyline points="{" ".join(f"{x},{y}" for x, y in spots)}" fill="none" stroke="{colour}" stroke-width="{width}"{dash}/>'
    single = line.dots or len(spots) == 1
    dots = "".join(f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}"/>' for x, y in spots) if single else ""
    top, start = TOP + 12 + 16 * place, WIDTH - RIGHT + 10
    stroke = f'<path d="M{start} {top - 4}h18" stroke="{colour}" stroke-width="{width}"{dash}/>' if len(spots) > 1 else ""
    dot = f'<circle cx="{start + 9}" cy="{top - 4}" r="4" fill="{colour}"/>' if single else ""
    return f'{joined if len(spots) > 1 else ""}{dots}{stroke}{dot}<text x="{start + 24}" y="{top}">{escape(line.name)}</text>'


def _across(name: str, y: float, scale: _Scale) -> str:
    _, down = scale.at(scale.left, y)
    mark = f'<path d="M{LEFT} {down}H{WIDTH - RIGHT}" stroke="#c00" stroke-dasharray="2 3"/>'
    return mark + f'<text x="{LEFT + 6}" y="{down - 4}" fill="#c00">{escape(name)}</text>'
