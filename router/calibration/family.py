"""The group that a request belongs to: thresholds are certified by group, drift is watched by group."""

import hashlib
import json

from router.types import Contract, GenerationRequest

_LONGEST = 128


def family(request: GenerationRequest) -> str:
    """The client's own `group` of the metadata, or the kind of the contract with a fingerprint of its form: never of the prompt."""
    if request.metadata and (given := dict(request.metadata).get("group")):
        return _printable(given)[:_LONGEST]
    return request.contract.once("family", _form)


def _form(contract: Contract) -> str:
    said = contract.text or json.dumps(contract.choices)
    return contract.kind if contract.kind == "none" else f"{contract.kind}:{hashlib.blake2b(said.encode(), digest_size=4).hexdigest()}"


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable() and character.isascii())
