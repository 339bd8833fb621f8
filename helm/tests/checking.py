"""Asks the gateway itself about configurations: `checking.py FOLDER` prints {name: what is wrong} for the *.yaml there.

Runs where the gateway is installed, which the chart's own tests need not be.
"""

import json
import sys
from pathlib import Path

from router.errors import ConfigError
from server.build import gateway
from server.config import load


def main(folder: Path) -> dict[str, str]:
    """The mistakes by file."""
    found = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            gateway(load(path), folder)
        except ConfigError as error:
            found[path.stem] = error.message
    return found


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
