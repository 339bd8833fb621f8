"""`python -m server.attended`: the command line for as long as whoever started it lives, whose end of the standard input closes with it.

Every system closes the files of a process that ends, also of one that was killed and could tell nobody.
"""

import os
import signal
import sys
import threading

from server.__main__ import main


def _end_with_input() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_input, daemon=True).start()
    sys.exit(main())
