"""Keeps streams under way with the official client while a command stops the gateway: none that has begun may be cut.

python deploy/verify/drain.py --url http://127.0.0.1:8080 -- docker compose stop gateway
"""

import argparse
import collections
import itertools
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

from openai import APIConnectionError, APIStatusError, OpenAI

from server.demo import REQUESTS

STREAMS = 4
"""At the same time."""
AT_ONCE = 2
"""That must be under way when the command runs."""
BEFORE = 8
"""Streams that must have ended whole before the command runs."""


@dataclass(slots=True)
class Seen:
    """How streams ended; `begun` are those that have shown something and not ended yet."""

    ended: collections.Counter[str] = field(default_factory=collections.Counter)
    begun: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, name: str, step: int = 0) -> None:
        """One more."""
        with self.lock:
            self.ended[name] += 1
            self.begun += step

    def begin(self) -> None:
        """Its first event was seen."""
        with self.lock:
            self.begun += 1


def stream(client: OpenAI, text: str, seen: Seen) -> bool:
    """One stream; false where the gateway takes no more."""
    begun = False
    try:
        chosen = None
        answer = client.chat.completions.create(
            model="auto/large", messages=[{"role": "user", "content": text}], stream=True, max_tokens=200
        )
        for chunk in answer:
            if not begun:
                begun = True
                seen.begin()
            chosen = next((choice.finish_reason for choice in chunk.choices), None) or chosen
    except (APIConnectionError, APIStatusError, OSError) as error:
        seen.count("cut" if begun else f"not taken: {type(error).__name__}", -begun)
        return False
    seen.count("whole" if chosen else "cut", -begun)
    return True


def worker(url: str, first: int, seen: Seen) -> None:
    """Streams one after the other until the gateway takes no more; each has a connection of its own, as many clients would."""
    for text in itertools.islice(itertools.cycle(REQUESTS), first, None):
        with OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=60) as client:
            if not stream(client, text, seen):
                return


def main() -> int:
    """0 if streams were under way and none was cut."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()
    seen = Seen()
    threads = [threading.Thread(target=worker, args=(given.url, index, seen), daemon=True) for index in range(STREAMS)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 120
    while (seen.ended["whole"] < BEFORE or seen.begun < AT_ONCE) and time.monotonic() < end:
        time.sleep(0.01)
    under_way = seen.begun
    subprocess.run(given.command, check=True)  # noqa: S603  # the caller's own command
    for thread in threads:
        thread.join(60)
    print(f"drain: {under_way} under way when told to stop; {dict(seen.ended)}")
    return 0 if under_way >= AT_ONCE and seen.ended["whole"] > BEFORE and not seen.ended["cut"] else 1


if __name__ == "__main__":
    sys.exit(main())
