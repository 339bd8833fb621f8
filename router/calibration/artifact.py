"""A fitted calibration at work: features of a draft to P(correct), and whether its threshold keeps it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from router.calibration.asked import request_features
from router.calibration.family import family
from router.calibration.features import FEATURES, grams, look
from router.calibration.linear import HeadSet
from router.calibration.maps import sigmoid
from router.calibration.stored import Certificate, Signal, Stored, dump, parse
from router.calibration.thresholds import Threshold
from router.calibration.trees import Forests
from router.errors import ConfigError
from router.ports import Score
from router.registry import scores
from router.types import Draft, Evidence, GenerationRequest
from router.types.records import record

LEARNED = "learned"


@record(frozen=True, slots=True)
class Judgement:
    """What the artifact says of a draft: `confidence` is P(correct) by the raw `score`, `order` is held against the threshold of `group`.

    `threshold` is `None` where nothing was certified; then nothing is kept. `features` are what a learned score was made of.
    """

    confidence: float
    score: float
    order: float
    group: str
    threshold: Threshold | None
    features: Mapping[str, float] | None = None

    @property
    def keep(self) -> bool:
        """Whether the threshold keeps it."""
        return self.threshold is not None and self.order <= self.threshold.limit


@dataclass(frozen=True, slots=True)
class Artifact:
    """The fitted calibration of one route: pure, immutable, safe to share between requests."""

    stored: Stored
    forests: Forests
    raw: Mapping[str, Score]
    before: HeadSet
    heads: HeadSet | None
    """Those that a tree asks, if any."""

    @classmethod
    def of(cls, stored: Stored) -> "Artifact":
        """Compile a stored artifact; raises ValueError where its parts do not fit together."""
        unknown = set(stored.features) - set(FEATURES)
        if unknown:
            raise ValueError(f"features: {', '.join(sorted(unknown))} unknown to this release")
        raw = {name: scores.build({"kind": name}, "signals") for name in stored.signals if name != LEARNED}
        forests, heads = Forests.of((*stored.parts, *stored.gain), stored.features), HeadSet.of(stored.heads, stored.answered)
        return cls(stored, forests, raw, heads, heads.only(forests.reads) or None)

    @classmethod
    def load(cls, path: str | Path) -> "Artifact":
        """Read an artifact; raises ConfigError naming the file and what is wrong with it."""
        try:
            return cls.of(parse(Path(path).read_text(encoding="utf-8"), str(path)))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: {error}", param="calibration") from error

    def save(self, path: str | Path) -> None:
        """Write the artifact."""
        Path(path).write_text(dump(self.stored), encoding="utf-8")

    @property
    def certificate(self) -> Certificate:
        """What was promised, on which labels."""
        return self.stored.certificate

    def certified(self, signal: str = LEARNED) -> bool:
        """Whether any group of the signal has a threshold at all; without one everything escalates."""
        found = self.stored.signals[signal]
        return any(threshold is not None for threshold in (found.pooled, found.rest, *found.groups.values()))

    def limits(self, signal: str = LEARNED) -> Mapping[str, float]:
        """The certified thresholds of the signal by group: drafts are kept up to this score; groups without one are left out."""
        found = self.stored.signals.get(signal)
        if found is None:
            return {}
        named = {"pooled": found.pooled, **({"rest": found.rest} if found.pooled_groups else {}), **found.groups}
        return {group: threshold.limit for group, threshold in named.items() if threshold is not None}

    def notices(self, signal: str = LEARNED) -> tuple[str, ...]:
        """What the operator must know: that nothing is kept at all, and every warning of the fit."""
        promise = f"at most {self.certificate.max_error:g} {self.certificate.loss} at confidence {self.certificate.confidence:g}"
        nothing = () if self.certified(signal) else (f"nothing is certified for {promise}: every draft escalates",)
        return (*nothing, *self.certificate.warnings)

    def needs(self, signal: str = LEARNED) -> Evidence:
        """What an engine must return for this signal."""
        if signal != LEARNED:
            return self.raw[signal].needs
        evidence = Evidence.LOGPROBS if self.certificate.logprobs else Evidence.NONE
        return evidence | Evidence.SAMPLES if self.certificate.samples else evidence

    def covers(self, draft: Draft) -> bool:
        """Whether such drafts were among the labels: the form of the answer, and the functions offered where those were a closed list."""
        contract, certificate = draft.request.contract, self.stored.certificate
        known, offered = certificate.functions, contract.tools
        return contract.kind in certificate.kinds and (known is None or not offered or all(tool.name in known for tool in offered))

    def confidence(self, draft: Draft, signal: str = LEARNED) -> float | None:
        """P(correct); `None` where the evidence is missing or the case is not covered."""
        judgement = self.judge(draft, signal)
        return None if judgement is None else judgement.confidence

    def judge(self, draft: Draft, signal: str = LEARNED) -> Judgement | None:
        """Confidence and threshold for a draft; `None` where the evidence is missing or the case is not covered."""
        if not self.covers(draft) or not self._evidence(draft, signal):
            return None
        group = family(draft.request)
        if signal == LEARNED:
            seen = look(draft, samples=self.stored.certificate.samples)
            return self.rate(seen.found, () if self.heads is None else seen.words, group)
        score = self.raw[signal].measure(draft)
        return None if score is None else self.place(score, group, signal)

    def rate(self, found: Mapping[str, float], words: Sequence[str], group: str = "") -> Judgement:
        """The learned judgement of named features; `words` are the `answered_grams` of the draft, empty where its text was not kept."""
        said = self.forests.log_odds(found if self.heads is None else {**found, **self.heads.scores(found, words)})
        count = len(self.stored.parts)
        wrong = _mean(said[:count])
        order = by_gain(wrong, _mean(said[count:])) if self.stored.gain else None
        return self.place(wrong, group, order=order, features=found)

    def place(
        self, score: float, group: str, signal: str = LEARNED, *, order: float | None = None, features: Mapping[str, float] | None = None
    ) -> Judgement:
        """A raw score as a judgement, ordered by itself unless `order` is given."""
        known = self.stored.signals[signal]
        return Judgement(1.0 - known.error(score), score, score if order is None else order, *ruling(known, group), features)

    def hopeless(self, request: GenerationRequest) -> bool:
        """Whether the first tier is not worth trying, judged before any generation."""
        if self.stored.heads is None or self.stored.hopeless_below is None:
            return False
        if request.contract.kind not in self.certificate.kinds:
            return False
        return sigmoid(self.before.before(request_features(request), grams(request))) < self.stored.hopeless_below

    def _evidence(self, draft: Draft, signal: str) -> bool:
        certificate = self.stored.certificate
        logprobs, samples = certificate.logprobs, certificate.samples
        if signal != LEARNED:
            needed = self.needs(signal)
            logprobs, samples = Evidence.LOGPROBS in needed, Evidence.SAMPLES in needed
        if samples and not draft.samples:
            return False
        if not logprobs:
            return True
        for token in draft.choice.tokens:  # noqa: SIM110  # mostly the first has one: a generator would be made for nothing
            if token.logprob is not None or token.raw_logprob is not None:
                return True
        return False


def ruling(signal: Signal, group: str) -> tuple[str, Threshold | None]:
    """The group whose threshold rules for `group`, and that threshold."""
    if group in signal.groups:
        return group, signal.groups[group]
    return ("rest", signal.rest) if group in signal.pooled_groups else ("pooled", signal.pooled)


def by_gain(wrong: float, large: float) -> float:
    """P(large right) - P(small right) of two log-odds; without any map, so that thresholds may be tested on the labels of the maps."""
    return sigmoid(large) - sigmoid(-wrong)


def _mean(said: Sequence[float]) -> float:
    return math.fsum(said) / max(len(said), 1)
