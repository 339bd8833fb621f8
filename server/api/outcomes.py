"""`POST /v1/outcomes`: what became of an answer, said by who asked for it."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import to_json
from starlette.exceptions import HTTPException

from router.errors import UnknownModel, UnsupportedEndpoint
from server.api import errors
from server.api.exchange import Asking, read
from server.api.parsing import parse
from server.api.parts import Take

LIMIT = 65_536


class Feedback(BaseModel):
    """Whether the answer was right; `score` grades it where right and wrong are too coarse, `expected` is what it should have been."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    response_id: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    success: bool
    score: Annotated[float, Field(ge=0, le=1)] | None = None
    expected: object = None

    @property
    def correct(self) -> float:
        """0..1."""
        return float(self.success) if self.score is None else self.score


def routes(take: Take | None) -> APIRouter:
    """The endpoint; without a store it refuses."""
    router = APIRouter()
    body = {"requestBody": {"required": True, "content": {"application/json": {"schema": Feedback.model_json_schema()}}}}

    @router.post("/v1/outcomes", responses=errors.documented(), openapi_extra=body)
    async def outcomes(asking: Asking) -> Response:
        """Saying the same twice changes nothing; saying otherwise later corrects it."""
        if take is None:
            raise UnsupportedEndpoint("no outcome store is configured: set `outcomes.url`")
        said = parse(await read(asking, LIMIT), Feedback)
        owner = None if asking.key is None or asking.key.admin else asking.owner
        if not await take(said.response_id, said.correct, said.expected, owner):
            raise HTTPException(errors.TABLE[UnknownModel].status, f"no answer has the response_id {said.response_id!r}")
        told = {"object": "outcome.label", "response_id": said.response_id, "source": "feedback", "correct": said.correct}
        return Response(to_json(told), media_type="application/json")

    return router
