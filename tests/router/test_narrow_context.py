"""A tier whose context is too short for all tools, but not for those that it is shown, is open all the same."""

from dataclasses import replace

import pytest

from router import contract as contracts
from router.cascade import Cascade
from router.route import Route
from router.types import EngineCall, GenerationRequest, Message, Part, Tier, Tool
from router.verifiers.contract import ContractVerifier
from server.engines.scripted import ScriptedEngine

TOOLS = contracts.tools([Tool(f"tool_{at}", {"type": "object"}, "rain" if at == 7 else "") for at in range(20)])
ASKED = GenerationRequest("r", "auto", (Message("user", (Part("text", "will there be rain"),)),), TOOLS)
CALL = '{"tool_calls":[{"name":"tool_7","arguments":{}}]}'
SMALL = Tier("small", "slm", context=50, keep_tools=2)
LARGE = Tier("large", "llm")


class Wordy(ScriptedEngine):
    """Ten tokens a tool."""

    def prompt_tokens(self, call: EngineCall) -> int:
        return 10 * len(call.contract.tools)


def cascade(*tiers: Tier, answer: str = CALL) -> tuple[Cascade, Wordy]:
    small = Wordy("slm", [answer])
    return Cascade(Route("auto", tiers, (ContractVerifier(),)), {"slm": small, "llm": Wordy("llm", [CALL])}, lambda: 0.0), small


@pytest.mark.parametrize(("context", "tier"), [(50, "small"), (15, "large")])
async def test_the_tools_that_are_shown_count(context: int, tier: str) -> None:
    made, small = cascade(replace(SMALL, context=context), LARGE)
    kept = (await made.run(ASKED)).outcome.kept
    assert kept is not None
    assert kept.tier == tier
    assert [len(call.contract.tools) for call in small.calls] == ([2] if tier == "small" else [])


@pytest.mark.parametrize(("context", "shown"), [(50, 2), (500, 20)])
async def test_pinned_it_is_shown_all_that_fit(context: int, shown: int) -> None:
    made, small = cascade(replace(SMALL, context=context), LARGE)
    await made.run(replace(ASKED, pinned="small"))
    assert [len(call.contract.tools) for call in small.calls] == [shown]


async def test_the_routes_last_tier_is_never_shown_less() -> None:
    made, _ = cascade(LARGE, replace(SMALL, context=50))
    finished = await made.run(replace(ASKED, pinned="small"))
    assert finished.error is not None
    assert finished.error.code == "context_length_exceeded"
