"""Each fault in each mode ends as the page says, and the books of all of them balance."""

import asyncio

import pytest

from tests.server.faults.matrix import CELLS, PAGE, PRICES, Cell, Found, run, table

WHOLE = {"good", "slow", "half-open", "stale", "answers-twice"}
RETRIED = {"stale", "resets", "truncates", "overloaded", "limits", "no-http"}
"""Faults after which the upstream may be asked once more for the same attempt, and once in all for a connection that a check had left."""


@pytest.fixture(scope="module")
def found() -> dict[Cell, Found]:
    return asyncio.run(run())


def test_the_page_says_what_happens(found: dict[Cell, Found]) -> None:
    assert table(found) == PAGE.read_text(encoding="utf-8"), "run python -m tests.server.faults.matrix and read what changed"


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.route)
def test_no_fault_reaches_the_client_as_an_answer(found: dict[Cell, Found], cell: Cell) -> None:
    said = found[cell].said
    if cell.place == "first":
        assert said.startswith("answered by"), "a fault of a tier that is not the last is not the client's"
    elif not (said.startswith("answered by") and cell.fault in WHOLE):
        assert said.startswith(("502", "504", "429", "text, then error event"))
    assert "internal_error" not in said


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.route)
def test_every_request_is_one_answer_or_one_error_and_one_row(found: dict[Cell, Found], cell: Cell) -> None:
    books = found[cell].books
    assert sum(books.requests.values()) == found[cell].requests == len(books.rows)
    assert books.requests == {code: books.codes.count(code) for code in set(books.codes)}
    assert "cancelled" not in books.requests


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.route)
def test_attempts_tokens_and_dollars_agree_everywhere(found: dict[Cell, Found], cell: Cell) -> None:
    one, books = found[cell], found[cell].books
    assert sum(books.attempts.values()) == len(books.row_attempts)
    for (tier, kind), counted in books.tokens.items():
        assert counted == books.row_tokens(tier, kind)
    spent = sum(counted * PRICES[tier][kind] / 1e6 for (tier, kind), counted in books.tokens.items())
    assert books.cost == pytest.approx(books.row_cost) == pytest.approx(spent)
    if not one.said.startswith("text, then error"):
        assert one.told_cost == pytest.approx(books.cost, abs=1e-9)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.route)
def test_the_upstreams_own_count_agrees(found: dict[Cell, Found], cell: Cell) -> None:
    one, books = found[cell], found[cell].books
    tried = sum(count for (tier, _), count in books.attempts.items() if tier == "small")
    assert len(one.chaos.asked) == tried or (cell.fault in RETRIED and tried < len(one.chaos.asked) <= 2 * tried + 1)
    assert books.attempts.get(("small", "kept"), 0) == one.chaos.told
    assert books.attempts.get(("large", "kept"), 0) == books.requests.get("ok", 0) - one.chaos.told
