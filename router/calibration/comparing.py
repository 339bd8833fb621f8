"""Whether two answers to one request are the same by structure: what audits and escalations make labels of."""

import json
import math

from router.calibration.agreement import alike
from router.calibration.reading import normal, read
from router.contract import check
from router.errors import SmallfirstError
from router.types import Choice, Contract


def same(contract: Contract, one: Choice, reference: Choice) -> bool | None:
    """Whether `one` says what `reference` says; `None` where structure cannot tell (prose), or the reference itself is no valid answer.

    Tool calls are compared by name and arguments in any order, a default may be left out; of two messages under tools only that no call
    was made, and their wording where it is short, or their JSON where that was demanded. JSON is compared by value, letter case and outer
    spaces aside; choices, patterns and grammars by text.
    """
    if contract.kind == "none" or not _valid(contract, reference):
        return None
    if not _valid(contract, one):
        return False
    if contract.kind == "tools":
        if contract.form is not None and not (read(contract, one).calls or read(contract, reference).calls):
            return bool(normal(json.loads(one.text)) == normal(json.loads(reference.text)))
        return math.isclose(alike(contract, one, reference), 1.0)
    if contract.kind in ("json_schema", "json_object"):
        return bool(normal(json.loads(one.text)) == normal(json.loads(reference.text)))
    return one.text.strip() == reference.text.strip()


def _valid(contract: Contract, choice: Choice) -> bool:
    try:
        return not check(contract, choice)
    except (SmallfirstError, ValueError):
        return False
