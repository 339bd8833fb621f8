"""Axes end and are marked at round numbers, whatever the points; every series is named."""

import re

import pytest

from router.evaluation.plots import Line, Plot


@pytest.mark.parametrize(
    ("points", "marks"),
    [
        ([(0.0, 0.653), (2.4, 0.92)], ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5", "0.65", "0.70", "0.75", "0.80", "0.85", "0.90", "0.95"]),
        ([(0.0, 0.0), (1.0, 1.0)], ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"] * 2),
        (
            [(3e-5, 10.0), (1.3e-4, 700.0)],
            ["0.00002", "0.00004", "0.00006", "0.00008", "0.00010", "0.00012", "0.00014", *["0", "200", "400", "600", "800"]],
        ),
    ],
)
def test_the_axes_are_marked_at_round_numbers(points: list[tuple[float, float]], marks: list[str]) -> None:
    drawn = Plot("t", "x", "y", [Line("ours", points)]).svg()
    assert re.findall(r'text-anchor="(?:middle|end)">([-\d.]+)<', drawn) == marks


@pytest.mark.parametrize("points", [[(0.5, 0.5)], [(0.0, 0.3), (1.0, 0.3)], [(0.2, -0.1), (0.2, 0.4)]])
def test_points_without_extent_are_drawn_inside_the_frame(points: list[tuple[float, float]]) -> None:
    drawn = Plot("t", "x", "y", [Line("ours", points, dots=True)]).svg()
    spots = [(float(x), float(y)) for x, y in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', drawn)]
    assert len(spots) == len(points) + 1
    assert all(0 <= x <= 640 and 0 <= y <= 380 for x, y in spots)


def test_a_mark_across_is_named_and_names_are_escaped() -> None:
    drawn = Plot("t", "x", "y", [Line("<ours>", [(0.0, 0.1), (1.0, 0.2)])], ("target", 0.5)).svg()
    assert "&lt;ours&gt;" in drawn
    assert ">target<" in drawn
