"""Line plots as inline SVG: no script, no style sheet, nothing fetched."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 380, 56, 190, 16, 44
COLOURS = ("#0b6e4f", "#c1440e", "#2c5aa0", "#8a5a00", "#7b2d8b", "#4f7f8f", "#b0306a", "#6b6b6b", "#9a9a2f", "#3b8ea5", "#000000")


@dataclass(frozen=True, slots=True)
class Line:
    """One series; `dashed` for references, `dots` where the points count and not what lies between."""

    name: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False
    dots: bool = False


@dataclass(frozen=True, slots=True)
class Plot:
    """Axes and their series; `across` is drawn as a horizontal mark with its name."""

    title: str
    x: str
    y: str
    lines: Sequence[Line]
    across: tuple[str, float] | None = None

    def svg(self) -> str:
        """The drawing, scaled to its points."""
        scale = _Scale.of([point for line in self.lines for point in line.points], None if self.across is None else self.across[1])
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
    left: float
    right: float
    low: float
    high: float

    @classmethod
    def of(cls, points: Sequence[tuple[float, float]], mark: float | None) -> "_Scale":
        xs, ys = [x for x, _ in points] or [0.0, 1.0], [y for _, y in points] + ([] if mark is None else [mark]) or [0.0, 1.0]
        margin = 0.05 * (max(ys) - min(ys)) or 0.05
        return cls(min(xs), max(max(xs), min(xs) + 1e-9), min(ys) - margin, max(ys) + margin)

    def at(self, x: float, y: float) -> tuple[float, float]:
        across = LEFT + (x - self.left) / (self.right - self.left) * (WIDTH - LEFT - RIGHT)
        return round(across, 1), round(HEIGHT - BOTTOM - (y - self.low) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM), 1)


def _axes(plot: Plot, scale: _Scale) -> str:
    parts = [f'<rect x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" height="{HEIGHT - TOP - BOTTOM}" fill="none" stroke="#999"/>']
    for step in range(6):
        x, y = scale.left + step / 5 * (scale.right - scale.left), scale.low + step / 5 * (scale.high - scale.low)
        across, down = scale.at(x, y)
        parts.append(f'<text x="{across}" y="{HEIGHT - BOTTOM + 14}" text-anchor="middle">{x:.3g}</text>')
        parts.append(f'<text x="{LEFT - 5}" y="{down + 4}" text-anchor="end">{y:.3g}</text>')
        parts.append(f'<path d="M{LEFT} {down}H{WIDTH - RIGHT}" stroke="#eee"/>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{escape(plot.x)}</text>')
    parts.append(f'<text transform="translate(13 {HEIGHT / 2}) rotate(-90)" text-anchor="middle">{escape(plot.y)}</text>')
    return "".join(parts)


def _line(line: Line, colour: str, place: int, scale: _Scale) -> str:
    spots = [scale.at(x, y) for x, y in line.points]
    dash = ' stroke-dasharray="5 4"' if line.dashed else ""
    path = f'<polyline points="{" ".join(f"{x},{y}" for x, y in spots)}" fill="none" stroke="{colour}" stroke-width="1.6"{dash}/>'
    dots = "".join(f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in spots) if line.dots or len(spots) == 1 else ""
    top = TOP + 12 + 16 * place
    start = WIDTH - RIGHT + 10
    mark = f'<path d="M{start} {top - 4}h18" stroke="{colour}" stroke-width="2"{dash}/>'
    key = f'{mark}<text x="{start + 24}" y="{top}">{escape(line.name)}</text>'
    return path + dots + key


def _across(name: str, y: float, scale: _Scale) -> str:
    _, down = scale.at(scale.left, y)
    mark = f'<path d="M{LEFT} {down}H{WIDTH - RIGHT}" stroke="#c00" stroke-dasharray="2 3"/>'
    return mark + f'<text x="{LEFT + 6}" y="{down - 4}" fill="#c00">{escape(name)}</text>'
