"""Stop sequences over a stream of tokens: what might be the start of one is held back, what is one is never given out."""

from dataclasses import replace

from server.engines.embedded.evidence import Drawn


class Stops:
    """Holds tokens until their text can no longer belong to a stop sequence."""

    def __init__(self, sequences: tuple[str, ...]) -> None:
        self._sequences = tuple(sequence for sequence in sequences if sequence)
        self._held: list[Drawn] = []
        self.hit = False

    def feed(self, drawn: Drawn) -> list[Drawn]:
        """The tokens that may go out now; after a hit the last one's text ends where the stop sequence began."""
        if not self._sequences:
            return [drawn]
        self._held.append(drawn)
        text = "".join(each.text for each in self._held)
        found = [at for sequence in self._sequences if (at := text.find(sequence)) >= 0]
        self.hit = bool(found)
        return self._cut(min(found)) if found else self._release(len(text) - self._suspicious(text))

    def rest(self) -> list[Drawn]:
        """What is still held when the generation ends without a hit."""
        rest, self._held = self._held, []
        return rest

    def _suspicious(self, text: str) -> int:
        longest = max(map(len, self._sequences)) - 1
        sizes = range(min(longest, len(text)), 0, -1)
        return next((size for size in sizes if any(s.startswith(text[-size:]) for s in self._sequences)), 0)

    def _release(self, safe: int) -> list[Drawn]:
        """The held tokens that end within the first `safe` characters."""
        count = end = 0
        for each in self._held:
            end += len(each.text)
            if end > safe:
                break
            count += 1
        out, self._held = self._held[:count], self._held[count:]
        return out

    def _cut(self, end: int) -> list[Drawn]:
        out, room = list[Drawn](), end
        for each in self._held:
            if room <= 0:
                break
            out.append(replace(each, text=each.text[:room]))
            room -= len(each.text)
        self._held = []
        return out
