"""The operator's own function as judge."""

import asyncio
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar

from pydantic import Field, SkipValidation

from router.apart import Threads
from router.asking import discreet
from router.errors import ConfigError
from router.ports import Services
from router.registry import resolved, verifiers
from router.types import Draft, Evidence, Ruling, Verdict, Violation


@verifiers.register("python")
@dataclass(frozen=True, slots=True)
class PythonVerifier:
    """Calls `call` (`package.module:name`, async or plain) with the draft; it gives a Verdict, or whether to accept.

    A plain function runs in a thread; `timeout` in seconds.
    """

    kind: ClassVar[str] = "python"
    services: Annotated[Services, SkipValidation] = field(repr=False)
    call: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
    timeout: Annotated[float, Field(gt=0, le=60)] = 2.0
    threads: Annotated[Threads, SkipValidation] = field(default_factory=Threads, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not callable(resolved("call", self.services.load, self.call)):
            raise ConfigError(f"{self.call!r} cannot be called", param="call")

    @property
    def needs(self) -> Evidence:
        """Nothing beyond the text."""
        return Evidence.NONE

    async def judge(self, draft: Draft) -> Verdict:
        """Never raises: whatever the function raises, a timeout, or another kind of result is `UNABLE`."""
        try:
            async with asyncio.timeout(self.timeout):
                found = await self._called(draft)
        except TimeoutError:
            return Verdict(self.kind, Ruling.UNABLE, "timeout")
        except (Exception, SystemExit) as error:  # noqa: BLE001  # the operator's code may raise anything: it keeps no draft, ends no request
            return Verdict(self.kind, Ruling.UNABLE, f"raised {type(error).__name__}")
        return self._told(found, draft)

    async def _called(self, draft: Draft) -> object:
        function: Callable[[Draft], Any] = self.services.load(self.call)  # type: ignore[assignment]  # checked to be callable at start-up
        if inspect.iscoroutinefunction(function):
            return await function(draft)
        found = await self.threads.run(function, draft)
        return await found if inspect.isawaitable(found) else found

    def _told(self, found: object, draft: Draft) -> Verdict:
        if isinstance(found, bool):
            return Verdict(self.kind, Ruling.ACCEPT if found else Ruling.DEFER)
        if not isinstance(found, Verdict):
            return Verdict(self.kind, Ruling.UNABLE, f"gave {type(found).__name__}")
        try:
            return self._sound(found, draft)
        except (TypeError, ValueError):
            return Verdict(self.kind, Ruling.UNABLE, "gave no sound Verdict")

    def _sound(self, found: Verdict, draft: Draft) -> Verdict:
        """The Verdict, which only its annotations bound; TypeError or ValueError where it rules nothing or cannot be counted."""
        if not 0 <= found.cost < math.inf or not (found.confidence is None or 0 <= found.confidence <= 1):
            raise ValueError("a cost or a confidence out of range")
        if not isinstance(found.reason, str) or not all(isinstance(violation, Violation) for violation in found.violations):
            raise TypeError("a reason that is no text, or violations that are none")
        return replace(found, verifier=self.kind, ruling=Ruling(found.ruling), reason=discreet(found.reason, draft))
