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
    """The record of what `encoding.told` or, with features, `encoding.fitted` says, and of what `content.kept` does, where that is kept.

    Without labels it names the tiers that answered.
    """
    found: Json = {"id": response_id, "group": family} | ({"request": text["request"]} if text else {})
    if not labels:
        tiers = {attempt["tier"]: _draft(body, text, place) for place, attempt in enumerate(body["attempts"]) if attempt["finish_reason"]}
        return found | {"tiers": tiers}
    tiers = {label.tier: _tier(body, text, label.tier, label.correct) for label in labels}
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
    """The tier's last draft."""
    right = {} if correct is None else {"correct": correct}
    places = [place for place, attempt in enumerate(body["attempts"]) if attempt["tier"] == tier and attempt["finish_reason"]]
    return _draft(body, text, places[-1]) | right if places else right


def _draft(body: Json, text: Json, place: int) -> Json:
    """One draft; its features stand in place of text that was not kept."""
    attempt = body["attempts"][place]
    said: Json = (text["answers"][place] or {}) if text else {}
    found = said | {"finish_reason": attempt["finish_reason"], "usage": attempt["usage"], "seconds": attempt["seconds"]}
    return found | {"features": attempt["features"]} if not said and attempt.get("features") is not None else found
