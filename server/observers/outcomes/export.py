"""Stored outcomes as replay records, the one format of `router.evaluation.records`."""

import json
from collections.abc import Iterator, Mapping, Sequence
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
    found: Json = {"id": response_id, "group": family}
    if text:
        found["request"] = text["request"]
    drafts = _drafts(body, text)
    if not labels:
        found["tiers"] = drafts
        return found
    found["tiers"] = {label.tier: drafts.get(label.tier, {}) | {"correct": label.correct} for label in labels}
    if labels[0].source == "audit":
        found["tiers"] |= _reference(body["permitted"][-1], drafts, labels)
    found["label"] = {"source": labels[0].source, "weight": labels[0].weight}
    return found


def _reference(last: str, drafts: Mapping[str, Json], labels: Sequence[Label]) -> Json:
    """The last tier's answer: from the audit, or from the escalation itself."""
    audited = next((json.loads(label.detail) for label in labels if label.detail), None)
    return {last: (drafts.get(last, {}) if audited is None else audited) | {"correct": 1.0}}


def _drafts(body: Json, text: Json) -> dict[str, Json]:
    """The last draft of every tier that gave one; its features stand in place of text that was not kept."""
    found = {}
    for place, attempt in enumerate(body["attempts"]):
        if attempt["finish_reason"]:
            draft = {"finish_reason": attempt["finish_reason"], "usage": attempt["usage"], "seconds": attempt["seconds"]}
            if said := text and text["answers"][place]:
                draft = said | draft
            elif attempt.get("features") is not None:
                draft["features"] = attempt["features"]
            found[attempt["tier"]] = draft
    return found
