"""What an answer must look like: made from the request, obeyed by engines, checked again afterwards on every tier."""

from router.contract.checking import Answer, answer, check
from router.contract.constraining import constrain
from router.contract.making import choice, grammar, json_object, json_schema, regex, text, tools
from router.contract.prefix import Prefix, stopped
from router.contract.schema import Limits

__all__ = [
    "Answer",
    "Limits",
    "Prefix",
    "answer",
    "check",
    "choice",
    "constrain",
    "grammar",
    "json_object",
    "json_schema",
    "regex",
    "stopped",
    "text",
    "tools",
]
