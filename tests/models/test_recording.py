"""What is recorded of the bundled pair for its calibration: the answers themselves, with their evidence; a failure is a wrong answer."""

from bench.drafting import drafted
from models.recording import answers, handwritten
from router import contract
from router.errors import EngineProtocolError
from router.types import EngineCall, Evidence, Sampling
from server.engines.scripted import Reply, ScriptedEngine, confident


async def test_answers_are_kept_with_their_tokens_and_a_failure_is_a_wrong_one() -> None:
    first, second = handwritten()[:2]
    engine = ScriptedEngine(
        "small", script=[Reply(first.answer, tokens=confident(first.answer)), Reply(failure=EngineProtocolError("nonsense"))]
    )
    kept, failed = await answers(engine, [first, second], lambda told: None)
    assert kept.choice is not None
    assert (kept.choice.text, kept.right) == (first.answer, True)
    assert "".join(token.text for token in kept.choice.tokens) == first.answer
    assert (failed.choice, failed.right) == (None, False)


async def test_a_bench_drafts_what_the_engine_says() -> None:
    call = EngineCall("one", (), contract.text(), Sampling(), Evidence.NONE)
    choice = await drafted(ScriptedEngine("small", script=[Reply("It rains.")]), call)
    assert choice is not None
    assert choice.text == "It rains."
