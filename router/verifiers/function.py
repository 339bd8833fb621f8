"""Whether calls could be executed: they parse, the functions are known, the arguments valid and sensible, the dry run passes."""

import asyncio
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, cast

from pydantic import Field, SkipValidation

from router.apart import Threads
from router.contract import toolcalls
from router.contract.strictjson import NotJson, glanced, parse
from router.functions import CannotJudge, Function, Registry
from router.registry import verifiers
from router.types import Draft, Evidence, Ruling, Verdict, Violation

Calls = list[dict[str, Any]]


@verifiers.register("function")
@dataclass(frozen=True, slots=True)
class FunctionVerifier:
    """Holds every call to the request's tools, and to the registry's types where it knows the function.

    Fields: `registry`, injected at start-up; `dry_run_seconds`, how long the dry runs of a draft may take together, each in one of its
    `threads`.
    """

    kind: ClassVar[str] = "function"
    registry: Registry | None = None
    dry_run_seconds: Annotated[float, Field(gt=0, le=60)] = 2.0
    threads: Annotated[Threads, SkipValidation] = field(default_factory=Threads, init=False, repr=False, compare=False)

    @property
    def needs(self) -> Evidence:
        """Nothing beyond the text."""
        return Evidence.NONE

    async def judge(self, draft: Draft) -> Verdict:
        """Never raises: a check or dry run that breaks or takes too long is `UNABLE`; a message instead of calls is not its business."""
        if draft.request.contract.kind != "tools":
            return Verdict(self.kind, Ruling.NOT_APPLICABLE, "no_tools")
        if draft.choice.finish_reason == "refusal":
            return Verdict(self.kind, Ruling.NOT_APPLICABLE, "refusal")
        try:
            value = glanced(draft.choice.text) if self.registry is None else parse(draft.choice.text)  # a dry run may change what it gets
        except NotJson as error:
            return self._deferred("not_json", (Violation("", str(error)),))
        found = () if draft.notes.violations == () else toolcalls.check(draft.request.contract, value)
        if found:
            return self._deferred("unknown_function" if found[0].path.endswith("/name") else "arguments", found)
        answer = cast(dict[str, Any], value)
        if "tool_calls" not in answer:
            return Verdict(self.kind, Ruling.NOT_APPLICABLE, "message")
        return await self._registered(draft, answer["tool_calls"])

    async def _registered(self, draft: Draft, calls: Calls) -> Verdict:
        """The registry's say on calls that the request itself admits."""
        known = [
            (f"/tool_calls/{index}/arguments", self._known(draft, call["name"]), call["arguments"]) for index, call in enumerate(calls)
        ]
        served = [(path, function, arguments) for path, function, arguments in known if function is not None]
        try:
            found = [_below(path, violation) for path, function, arguments in served for violation in function.validate(arguments)]
            if found:
                return self._deferred("semantic", tuple(found))
            if any(function.dry_run is not None for _, function, _ in served):
                found = await asyncio.wait_for(self._rehearsed(served), self.dry_run_seconds)
        except CannotJudge as error:
            return Verdict(self.kind, Ruling.UNABLE, str(error))
        except TimeoutError:
            return Verdict(self.kind, Ruling.UNABLE, "dry_run_timeout")
        return self._deferred("dry_run", tuple(found)) if found else Verdict(self.kind, Ruling.ACCEPT)

    async def _rehearsed(self, served: list[tuple[str, Function, dict[str, Any]]]) -> list[Violation]:
        """Dry runs may wait for something, so each has a thread; most functions have none."""
        found: list[Violation] = []
        for path, function, arguments in served:
            if function.dry_run is not None:
                found += [_below(path, violation) for violation in await self.threads.run(function.rehearse, arguments)]
        return found

    def _known(self, draft: Draft, name: str) -> Function | None:
        function = self.registry.functions.get(name) if self.registry is not None else None
        offered = next(tool for tool in draft.request.contract.tools if tool.name == name)
        return function if function is not None and function.serves(offered) else None

    def _deferred(self, reason: str, violations: tuple[Violation, ...]) -> Verdict:
        return Verdict(self.kind, Ruling.DEFER, reason, violations=violations[:16], repairable=True)


def _below(path: str, violation: Violation) -> Violation:
    return Violation(path + violation.path, violation.message)
