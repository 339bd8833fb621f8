"""Tool loops without memory: the id of a call that was handed out carries the tier that made it.

The tag is opaque and no secret: whoever forges one may begin on another permitted tier, as `route/tier` lets them anyway.
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from itertools import takewhile

from router.types import Message, Tier

_ID = re.compile(r"call_([0-9a-f]{8})_[0-9a-f]{22}")


def call_id(tier: str) -> str:
    """A new id for a call that this tier made; OpenAI's ids have at most 40 characters too."""
    return f"call_{_tag(tier)}_{secrets.token_hex(11)}"


def going_on(messages: Sequence[Message], tiers: Sequence[Tier]) -> str | None:
    """The tier whose calls the conversation ends in the results of; `None` outside a loop, and for ids that are not ours."""
    if not messages or messages[-1].role != "tool":
        return None
    names = {_tag(tier.name): tier.name for tier in tiers}
    results = takewhile(lambda message: message.role == "tool", reversed(messages))
    tags = (found[1] for message in results if (found := _ID.fullmatch(message.tool_call_id or "")))
    return next((names[tag] for tag in tags if tag in names), None)


def _tag(tier: str) -> str:
    return hashlib.blake2b(tier.encode(), digest_size=4).hexdigest()
