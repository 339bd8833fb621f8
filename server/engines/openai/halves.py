"""A character beyond the basic plane that a server which counts UTF-16 cut in two, so that each half came in an event of its own.

A half is no character (Unicode, D71 to D75) and no reader here takes such an event; together they are one.
"""

import re
from dataclasses import dataclass

_ESCAPE = re.compile(
    r"""\\u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}    # both halves
    |(?P<first>\\u[dD][89abAB][\da-fA-F]{2})(?=")
    |(?<=")(?P<second>\\u[dD][c-fC-F][\da-fA-F]{2})
    |\\.""",
    re.VERBOSE,
)


@dataclass(slots=True)
class Halves:
    """The first half of a character whose second has not come yet, as JSON writes it."""

    waiting: str = ""

    def joined(self, body: str) -> str:
        """The event without the first half at the end of its text, and with the one that waited before the second at its beginning."""
        return _ESCAPE.sub(self._placed, body)

    def _placed(self, found: re.Match[str]) -> str:
        if found["first"] and not self.waiting:
            self.waiting = found["first"]
            return ""
        if found["second"]:
            first, self.waiting = self.waiting, ""
            return first + found["second"]
        return found[0]
