"""`python -m server.engines.vllm`: the process that keeps vLLM's servers running for a gateway."""

import asyncio

from server.engines.vllm.keeper import main

asyncio.run(main())
