"""Regular expressions of clients, matched in linear time over the whole text."""

from functools import lru_cache

import jsonschema_rs

from router.contract.schema import clip
from router.errors import InvalidRequest

MOST_CHARACTERS = 10_000


def admit(pattern: str, param: str) -> str:
    """The pattern, if the engine without backtracking takes it; InvalidRequest for look-around, back-references, errors."""
    if not isinstance(pattern, str) or not pattern:
        raise InvalidRequest(f"{param} must be a regular expression.", param=param)
    if len(pattern) > MOST_CHARACTERS:
        raise InvalidRequest(f"{param} is longer than {MOST_CHARACTERS} characters.", param=param)
    try:
        _compile(pattern)
        matcher(pattern)
    except (jsonschema_rs.ValidationError, ValueError) as error:
        message = f"{clip(pattern)} is no regular expression of the supported syntax (no look-around, no back-references)."
        raise InvalidRequest(message, param=param) from error
    return pattern


@lru_cache(maxsize=512)
def matcher(pattern: str) -> jsonschema_rs.Validator:
    """A validator that holds for the texts that the pattern matches from first to last character."""
    return _compile(f"^(?:{pattern})$")


def _compile(pattern: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for({"type": "string", "pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions())


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text matches."""
    try:
        return matcher(pattern).is_valid(text)
    except UnicodeEncodeError:
        return False
