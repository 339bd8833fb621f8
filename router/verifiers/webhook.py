"""The operator's own judge behind HTTP: asked at the configured address only, signed, bounded in time, `UNABLE` when it fails."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, SkipValidation, ValidationError

from router.account import answer_account, request_account
from router.asking import Dollars, discreet
from router.ports import Services
from router.posting import Hook, Posted, Retries, Seconds, post
from router.registry import verifiers
from router.types import Draft, Evidence, Ruling, Verdict


class Answered(BaseModel):
    """What the service must say."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    ruling: Literal["accept", "defer", "abstain", "not_applicable"]
    reason: str = ""
    confidence: float | None = Field(default=None, ge=0, le=1)


@verifiers.register("webhook")
@dataclass(frozen=True, slots=True)
class WebhookVerifier:
    """Posts request and answer to `url` and takes its ruling.

    `secret_env` names the variable whose value signs the body (HMAC-SHA256); `timeout` in seconds for each of 1 + `retries` tries; `cost`
    in dollars for each; a service `outside` is never asked about requests that must stay inside; `when_unable` says what a failure is.
    """

    kind: ClassVar[str] = "webhook"
    services: Annotated[Services, SkipValidation] = field(repr=False)
    url: str
    secret_env: str | None = None
    timeout: Seconds = 2.0
    retries: Retries = 1
    location: Literal["inside", "outside"] = "outside"
    cost: Dollars = 0.0
    when_unable: Literal["unable", "not_applicable"] = "unable"

    def __post_init__(self) -> None:
        self._hook.check(self.services)

    @property
    def needs(self) -> Evidence:
        """Nothing beyond the text."""
        return Evidence.NONE

    async def judge(self, draft: Draft) -> Verdict:
        """Never raises: no answer, another status than 200 and an answer of another form are failures of the service."""
        if draft.request.inside_only and self.location == "outside":
            return Verdict(self.kind, Ruling.UNABLE, "residency")
        document = {"request": request_account(draft.request), "answer": answer_account(draft), "tier": draft.tier, "last": draft.last}
        return self._ruled(draft, await post(self.services, self._hook, document, draft.tab))

    def _ruled(self, draft: Draft, posted: Posted) -> Verdict:
        if posted.body is None:
            return self._unable(posted.failure, posted.cost)
        try:
            said = Answered.model_validate_json(posted.body)
        except ValidationError:
            return self._unable("not_the_form", posted.cost)
        if said.ruling == "abstain":
            return self._unable("abstained", posted.cost)
        return Verdict(self.kind, Ruling(said.ruling), discreet(said.reason, draft), said.confidence, posted.cost)

    def _unable(self, reason: str, cost: float) -> Verdict:
        return Verdict(self.kind, Ruling(self.when_unable), reason, cost=cost)

    @property
    def _hook(self) -> Hook:
        return Hook(self.url, self.secret_env, self.timeout, self.retries, self.location, self.cost)
