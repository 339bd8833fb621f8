"""Conversations that go on from a stored response: its items are put before the new input, references become what they stand for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import TypeAdapter
from pydantic_core import from_json, to_json

from router.errors import PreviousResponseNotFound, StoreUnavailable, UnsupportedParameter
from server.api.responding import InputItem, InputMessage, ItemReference, ResponsesRequest, Resumed

PREFIX = "resp_"
Json = dict[str, object]
_ITEMS: TypeAdapter[list[InputItem]] = TypeAdapter(list[InputItem])


@dataclass(frozen=True, slots=True)
class Stored:
    """A response as its caller may go on from it.

    `items` is the JSON of the conversation before its output, of which the first `earlier` came from the response before; `body` the
    JSON of the response itself.
    """

    id: str
    owner: str
    items: bytes
    earlier: int
    body: bytes

    @property
    def response(self) -> Json:
        """The response as it was told."""
        found: Json = from_json(self.body)
        return found

    @property
    def input(self) -> list[Json]:
        """The items before the output."""
        found: list[Json] = from_json(self.items)
        return found

    @property
    def output(self) -> list[Json]:
        """The items of the answer."""
        found = self.response["output"]
        return list(found) if isinstance(found, list) else []

    @property
    def inside(self) -> bool:
        """Whether it was answered where its data may not leave the building."""
        metadata = self.response.get("metadata")
        return isinstance(metadata, dict) and metadata.get("residency") == "inside"


class Conversations(Protocol):
    """Keeps responses for a bounded time, each for its owner alone; raises StoreUnavailable."""

    async def keep(self, stored: Stored) -> bool:
        """False where it is too large to be kept."""
        ...

    async def find(self, response_id: str, owner: str) -> Stored | None: ...

    async def drop(self, response_id: str, owner: str) -> bool:
        """Whether there was one to delete."""
        ...

    async def close(self) -> None: ...


async def recall(body: ResponsesRequest, stored: Conversations | None, owner: str) -> ResponsesRequest:
    """The body with its whole conversation; raises PreviousResponseNotFound, StoreUnavailable, UnsupportedParameter without a store.

    What goes on from a response that had to stay inside stays inside as well, whether it says so or not.
    """
    own = [InputMessage(role="user", content=body.input)] if isinstance(body.input, str) else list(body.input)
    if stored is None:
        _refuse_without_store(body, own)
        return body
    before = None if body.previous_response_id is None else await _previous(body.previous_response_id, stored, owner)
    if before is None and not any(isinstance(item, ItemReference) for item in own):
        return body
    earlier = [] if before is None else _ITEMS.validate_python([*before.input, *before.output])
    found = [await _resolved(item, index, stored, owner) for index, item in enumerate(own)]
    inside = any(source is not None and source.inside for source in (before, *(source for _, source in found)))
    given = {name: getattr(body, name) for name in ResponsesRequest.model_fields}
    given |= {"metadata": {"residency": "inside", **(body.metadata or {})}} if inside else {}
    return Resumed.model_construct(**{**given, "input": [*earlier, *(item for item, _ in found)], "earlier": len(earlier)})


async def keep(stored: Conversations | None, body: ResponsesRequest, told: Json, owner: str) -> bool:
    """Store the response with its conversation; a store that is away costs the follow-up, not the answer."""
    if stored is None or body.store is False:
        return False
    items = [InputMessage(role="user", content=body.input)] if isinstance(body.input, str) else body.input
    earlier = body.earlier if isinstance(body, Resumed) else 0
    kept = Stored(str(told["id"]), owner, _ITEMS.dump_json(list(items), by_alias=True, exclude_none=True), earlier, to_json(told))
    try:
        return await stored.keep(kept)
    except StoreUnavailable:
        return False


def _refuse_without_store(body: ResponsesRequest, own: Sequence[InputItem]) -> None:
    referring = next((f"input[{index}]" for index, item in enumerate(own) if isinstance(item, ItemReference)), None)
    given = {"previous_response_id": body.previous_response_id, "store": body.store, referring or "input": referring}
    param = next((name for name, value in given.items() if value), None)
    if param is not None:
        raise UnsupportedParameter(f"{param}: this gateway stores no responses; send the whole conversation", param=param)


async def _previous(response_id: str, stored: Conversations, owner: str) -> Stored:
    found = await stored.find(response_id, owner)
    if found is None:
        raise PreviousResponseNotFound(f"no response {response_id!r} is stored", param="previous_response_id")
    return found


async def _resolved(item: InputItem, index: int, stored: Conversations, owner: str) -> tuple[InputItem, Stored | None]:
    """The item itself, and for a reference where it stands; our items' ids name the response that they are part of."""
    if not isinstance(item, ItemReference):
        return item, None
    found = await stored.find(response_of(item.id), owner)
    known: Mapping[object, Json] = {} if found is None else {one["id"]: one for one in found.output}
    if item.id not in known:
        raise PreviousResponseNotFound(f"input[{index}]: no item {item.id!r} is stored", param=f"input[{index}].id")
    return _ITEMS.validate_python([known[item.id]])[0], found


def response_of(item_id: str) -> str:
    """The response of an item's id, `msg_X` or `fc_X_0`."""
    return PREFIX + "".join(item_id.split("_")[1:2])
