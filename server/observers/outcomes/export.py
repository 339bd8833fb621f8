"""Stored outcomes as replay records, the one format of `router.evaluation.records`."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from server.observers.outcomes.ports import Label, Row, Source, Store

Json = dict[str, Any]
_RANK: dict[str, int] = {"gold": 0, "feedback": 1, "audit": 2}


def records(store: Store, source: Source | None = None, route: str | None = None, since: float | None = None) -> Iterator[Json]:
    """One record for each labelled outcome, oldest first, streamed.

    Outcomes without a label are left out: a record must say what was right. With several sources gold goes before feedback, feedback before
    audit. An audit's record has the last tier as right by definition; of feedback only the tier that answered is known.
    """
    for row, labels in store.labelled(source, route, since):
        chosen = [label for label in labels if source is None or label.source == source]
        best = min((label.source for label in chosen), key=_RANK.__getitem__)
        yield record(row, [label for label in chosen if label.source == best])


def record(row: Row, labels: Sequence[Label]) -> Json:
    """The outcome with these labels, which are of one source."""
    return recorded(row.response_id, row.family, json.loads(row.body), json.loads(row.content) if row.content else {}, labels)


def recorded(response_id: str, family: str, body: Json, text: Json, labels: Sequence[Label]) -> Json:
    """The record of what `encoding.told` and, where it is kept, `content.kept` say; without labels it names the tiers that answered."""
    found: Json = {"id": response_id, "group": family} | ({"request": text["request"]} if text else {})
    if not labels:
        answered = dict.fromkeys(attempt["tier"] for attempt in body["attempts"] if attempt["finish_reason"])
        return found | {"tiers": {tier: _tier(body, text, tier) for tier in answered}}
    tiers: Json = {label.tier: _tier(body, text, label.tier, label.correct) for label in labels}
    if labels[0].source == "audit":
        tiers |= _reference(body, text, labels)
    return found | {"tiers": tiers, "label": {"source": labels[0].source, "weight": labels[0].weight}}


def _reference(body: Json, text: Json, labels: Sequence[Label]) -> Json:
    """The last tier's answer: from the audit, or from the escalation itself."""
    last = body["permitted"][-1]
    audited = next((json.loads(label.detail) for label in labels if label.detail), None)
    if audited is not None:
        return {last: audited | {"correct": 1.0}}
    return {last: _tier(body, text, last, 1.0)}


def _tier(body: Json, text: Json, tier: str, correct: float | None = None) -> Json:
    """The tier's last draft; its features stand in place of text that was not kept."""
    right = {} if correct is None else {"correct": correct}
    places = [place for place, attempt in enumerate(body["attempts"]) if attempt["tier"] == tier and attempt["finish_reason"]]
    if not places:
        return right
    attempt = body["attempts"][places[-1]]
    said: Json = (text["answers"][places[-1]] or {}) if text else {}
    found: Json = {"finish_reason": attempt["finish_reason"], "usage": attempt["usage"], "seconds": attempt["seconds"]}
    features = {"features": attempt["features"]} if not said and attempt["features"] is not None else {}
    return said | found | features | right
