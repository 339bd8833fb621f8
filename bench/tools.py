"""Many tools, few of them shown: what the retriever saves a small tier, and what it costs in accuracy.

    .venv/bin/python bench/tools.py [--n 300] [--json]            the bundled small model, offered all functions of the demonstration
    .venv/bin/python bench/tools.py --data F.jsonl… [--json]      recorded requests (replay records): is the right tool among those kept?

On the pair a row is what the tier says when it is shown so many tools; `deferred` is the share in which it called none of them, which the
cascade takes for a reason to ask the next tier. Recorded requests are those with at least four tools and an answer that was right; `kept`
is the share in which every tool that the answer calls is still there. With `--crowd` each request is offered so many tools, its own and
others of the same data, drawn with a fixed seed. Characters are those of names, descriptions and schemas as JSON.
"""

import asyncio
import random
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

if __name__ == "__main__":  # run as a script, the repository's root is not on the path
    sys.path.insert(0, str(Path(__file__).absolute().parents[1]))

from drafting import arguments, cases, drafted, printed, size

from models.generate import same_answer
from models.recording import Case, asked
from router.calibration.reading import read as taken_apart
from router.evaluation.records import Record, read
from router.retrieval import asked_text, likeliest, narrow, none_fits
from router.types import EngineCall, GenerationRequest, Tool
from server.assistant import registry
from server.engines.embedded import EmbeddedEngine

KEEP = (1, 2, 3, 5, 8)
FEWEST = 4


@dataclass(frozen=True, slots=True)
class Shown:
    """The pair under so many tools (0: all); tokens are of a prompt in the mean."""

    keep: int
    accuracy: float
    answered: float | None
    deferred: float
    tokens: float


@dataclass(frozen=True, slots=True)
class Found:
    """Recorded requests under so many tools."""

    keep: int
    kept: float
    characters: float


async def pair(cases: Sequence[Case]) -> list[Shown]:
    """The small model under every bound, and without one."""
    engine = EmbeddedEngine("small", "small", threads=1)
    try:
        return [await _shown(engine, cases, keep) for keep in (*KEEP, 0)]
    finally:
        await engine.close()


async def _shown(engine: EmbeddedEngine, cases: Sequence[Case], keep: int) -> Shown:
    rights, tokens, deferred = [], [], []
    for place, case in enumerate(cases):
        request = asked(replace(case, functions=tuple(registry.functions)), place)
        shown = narrow(request.contract, asked_text(request), keep) if keep else request.contract
        call = EngineCall(request.id, request.messages, shown)
        choice = await drafted(engine, call)
        tokens.append(engine.prompt_tokens(call))
        deferred.append(choice is None or none_fits(request.contract, shown, choice))
        rights.append(choice is not None and same_answer(choice.text, case.answer))
    print(f"{keep or 'all'}: {sum(rights)} of {len(cases)} right", file=sys.stderr)
    answered = [right for right, left in zip(rights, deferred, strict=True) if not left]
    kept = statistics.mean(answered) if answered else None
    return Shown(keep, statistics.mean(rights), kept, statistics.mean(deferred), statistics.mean(tokens))


@dataclass(frozen=True, slots=True)
class Need:
    """A request with what it is offered and what it needs of that."""

    request: GenerationRequest
    tools: tuple[Tool, ...]
    needed: frozenset[str]


def recorded(paths: Sequence[Path], crowd: int, seed: int) -> tuple[int, list[Found]]:
    """How many requests there are, and what each bound keeps of them."""
    records = [record for record in read(paths) if record.request.contract.kind == "tools"]
    others = {tool.name: tool for record in records for tool in record.request.contract.tools}
    draw = random.Random(seed)  # a sample, no secret
    needs = [Need(record.request, _offered(record, others, crowd, draw), _needed(record)) for record in records]
    chosen = [need for need in needs if need.needed and len(need.tools) >= FEWEST]
    return len(chosen), [_found(chosen, keep) for keep in KEEP]


def _offered(record: Record, others: Mapping[str, Tool], crowd: int, draw: random.Random) -> tuple[Tool, ...]:
    """The request's own tools among others, in a random order."""
    own = record.request.contract.tools
    if len(own) >= crowd:
        return own
    rest = sorted(others.keys() - {tool.name for tool in own})
    mixed = [*own, *(others[name] for name in draw.sample(rest, min(len(rest), crowd - len(own))))]
    draw.shuffle(mixed)
    return tuple(mixed)


def _found(needs: Sequence[Need], keep: int) -> Found:
    kept, left = [], []
    for need in needs:
        tools, needed, named = need.tools, need.needed, set(likeliest(need.tools, asked_text(need.request))[:keep])
        kept.append(needed <= named)
        left.append(sum(size(tool) for tool in tools if tool.name in named) / sum(map(size, tools)))
    return Found(keep, statistics.mean(kept), statistics.mean(left))


def _needed(record: Record) -> frozenset[str]:
    """The tools of a right answer; none where nobody was right, or right without a call."""
    return next(_called(record), frozenset())


def _called(record: Record) -> Iterator[frozenset[str]]:
    for answer in record.answers.values():
        if answer.correct >= 1 and answer.choice is not None:
            yield frozenset(call.name for call in taken_apart(record.request.contract, answer.choice).calls)


def main() -> None:
    """Print a table, or one JSON object."""
    parser = arguments(__doc__, 300)
    parser.add_argument("--data", type=Path, nargs="+", metavar="F", help="replay records instead of the pair")
    parser.add_argument("--crowd", type=int, default=0, metavar="N", help="offer each recorded request N tools")
    options = parser.parse_args()
    rows: Sequence[Found | Shown]
    if options.data:
        count, rows = recorded(options.data, options.crowd, options.seed)
    else:
        chosen = cases(options)
        count, rows = len(chosen), asyncio.run(pair(chosen))
    printed(count, [asdict(row) for row in rows], as_json=options.json)


if __name__ == "__main__":
    main()
