"""Schema-first prompting: what a sketch of the form costs in characters, and what it does to the bundled small model.

    .venv/bin/python bench/prompts.py [--n 300] [--json]            the bundled small model under four kinds of prompt
    .venv/bin/python bench/prompts.py --data F.jsonl… [--json]      recorded requests (replay records): characters of the offered tools

The bundled pair learnt one kind of prompt, the functions' names; every other kind is foreign to it, so that its rows say what a change of
prompt costs such a model. Recorded characters are of names, descriptions and schemas, written out as JSON and as a sketch.
"""

import asyncio
import json
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

if __name__ == "__main__":  # run as a script, the repository's root is not on the path
    sys.path.insert(0, str(Path(__file__).absolute().parents[1]))

from drafting import arguments, cases, drafted, printed, size

from models.generate import same_answer
from models.recording import Case, asked
from router.contract.sketch import signature
from router.evaluation.records import read
from router.schemafirst import Taught, guide
from router.types import EngineCall, GenerationRequest
from server.assistant import registry
from server.engines.embedded import EmbeddedEngine
from server.engines.prompt import Form

Guide = Callable[[GenerationRequest], str]
TAUGHT = Taught(registry)
PROMPTS: dict[str, tuple[Form, Guide]] = {
    "names": ("names", lambda request: ""),
    "full": ("full", lambda request: ""),
    "sketch": ("names", lambda request: guide(request.contract)),
    "sketch+2": ("names", lambda request: guide(request.contract, TAUGHT.pick(request, request.contract, 2))),
}


@dataclass(frozen=True, slots=True)
class Prompted:
    """The model under one kind of prompt; tokens are of a prompt in the mean, `failed` the share without any answer."""

    prompt: str
    accuracy: float
    failed: float
    tokens: float


def pair(cases: Sequence[Case]) -> list[Prompted]:
    """Every kind of prompt."""
    return [asyncio.run(_prompted(name, form, made, cases)) for name, (form, made) in PROMPTS.items()]


async def _prompted(name: str, form: Form, made: Guide, cases: Sequence[Case]) -> Prompted:
    engine, rights, failed, tokens = EmbeddedEngine("small", "small", threads=1, tools_prompt=form), [], [], []
    try:
        for place, case in enumerate(cases):
            request = asked(case, place)
            call = EngineCall(request.id, request.messages, request.contract, guide=made(request))
            choice = await drafted(engine, call)
            tokens.append(engine.prompt_tokens(call))
            failed.append(choice is None)
            rights.append(choice is not None and same_answer(choice.text, case.answer))
    finally:
        await engine.close()
    print(f"{name}: {sum(rights)} of {len(cases)} right", file=sys.stderr)
    return Prompted(name, statistics.mean(rights), statistics.mean(failed), statistics.mean(tokens))


def recorded(paths: Sequence[Path]) -> dict[str, float]:
    """Characters of the offered tools, in the mean over requests that have any."""
    offers = [record.request.contract.tools for record in read(paths) if record.request.contract.tools]
    whole = [sum(map(size, tools)) for tools in offers]
    short = [sum(len(signature(tool)) + 1 for tool in tools) for tools in offers]
    shares = [less / more for less, more in zip(short, whole, strict=True)]
    return {"n": len(offers), "json": statistics.mean(whole), "sketch": statistics.mean(short), "share": statistics.median(shares)}


def main() -> None:
    """Print a table, or one JSON object."""
    parser = arguments(__doc__, 300)
    parser.add_argument("--data", type=Path, nargs="+", metavar="F", help="replay records instead of the pair")
    options = parser.parse_args()
    if options.data:
        print(json.dumps(recorded(options.data)))
        return
    chosen = cases(options)
    printed(len(chosen), [asdict(row) for row in pair(chosen)], as_json=options.json)


if __name__ == "__main__":
    main()
