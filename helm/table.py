"""The table of values in README.md, made from values.yaml and its comments.

python helm/table.py           prints it
python helm/table.py --write   puts it between the marks of README.md
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
BEGIN, END = "<!-- values -->\n", "<!-- /values -->\n"
LINE = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z_][\w]*):(?: (?P<value>[^#\s].*?))?(?: +# (?P<comment>.*)| *)$")


def rows(text: str) -> Iterator[tuple[str, str, str]]:
    """Path, default and description of every key that has a value or a description of its own."""
    path: list[str] = []
    above: list[str] = []
    for line in text.splitlines():
        if line.lstrip().startswith("# "):
            above.append(line.lstrip().removeprefix("# "))
        elif found := LINE.match(line):
            path = [*path[: len(found["indent"]) // 2], found["key"]]
            told = " ".join([*above, *filter(None, [found["comment"]])])
            if found["value"] or told:
                yield ".".join(path), found["value"] or "", told
            above = []
        else:
            above = []


def table(text: str) -> str:
    """As Markdown."""
    made = [f"| `{path}` | {f'`{default}`' if default else ''} | {told} |" for path, default, told in rows(text)]
    return "\n".join(["| value | default | |", "|---|---|---|", *made]) + "\n"


def filled(readme: str, text: str) -> str:
    """The README with the table between its marks."""
    before, _, rest = readme.partition(BEGIN)
    return before + BEGIN + table(text) + END + rest.partition(END)[2]


def main() -> None:
    """Print or write."""
    values, readme = (HERE / "values.yaml").read_text(), HERE / "README.md"
    if "--write" in sys.argv:
        readme.write_text(filled(readme.read_text(), values))
    else:
        sys.stdout.write(table(values))


if __name__ == "__main__":
    main()
