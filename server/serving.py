"""Running the application: one process, or several that share a port; SIGTERM lets what is under way finish."""

import gc
import logging
import os
import ssl
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.config import STARTUP_FAILURE

from router.errors import ConfigError
from server.beside import Beside, bound
from server.build import gateway
from server.config import Settings, Tls, load
from server.connections import Bounds, bounded
from server.draining import Draining, leave_on_hangup
from server.listening import Listening
from server.observers.metrics import MULTIPROCESS
from server.orphans import end_with_starter
from server.pages import gather
from server.seldom import Seldom
from server.supervising import provide_key, supervised
from server.workers import Workers

PATH = "SMALLFIRST_CONFIG"
IDLE = 75
"""Seconds that a connection may idle: longer than clients (httpx 5) and balancers (mostly 60) let it, or a request meets a closing end."""
YOUNG = 20_000
"""Objects made before the garbage collector looks at them: an answer with log-probabilities has thousands, most of them gone with it."""
TURN = 0.0005
"""Seconds that the thread of the outcome store, or of a dry run, may go on while a request waits for it to let go of the interpreter."""
STARVED = 60
"""Seconds that a worker may not answer its supervisor: one that gets no CPU for a while is not killed with what it has under way."""


def application() -> ASGIApp:
    """The application of one worker, by the settings whose path stands in the environment; a worker without valid ones ends with a word."""
    end_with_starter()  # which a killed parent could not ask for
    try:
        return from_file(Path(os.environ[PATH]))
    except ConfigError as error:
        print(f"smallfirst: {error.message}", file=sys.stderr)
        sys.exit(STARTUP_FAILURE)


def from_file(path: Path) -> ASGIApp:
    """The application of these settings; raises ConfigError."""
    settings = load(path)
    logging.getLogger("uvicorn.error").addFilter(Seldom())
    made = gateway(settings, path.resolve().parent)
    app = Draining(made.app, settings.listen.drain.delay)
    _settle()
    if made.internal is None or settings.listen.internal is None:
        return app
    return Beside(app, made.internal, bound(settings.listen.internal, shared=MULTIPROCESS in os.environ))


def _settle() -> None:
    """What was imported and built stays, so that the garbage collector need not look at it again and again while requests come and go."""
    gc.collect()
    gc.freeze()
    gather()
    gc.set_threshold(YOUNG, 10, 10)
    sys.setswitchinterval(TURN)


def serve(path: Path, settings: Settings, workers: int) -> None:
    """Serve until told to stop; raises ConfigError before anything listens."""
    provide_key(settings)
    with supervised(settings, path.resolve().parent):
        _listen(path, settings, workers)


def _listen(path: Path, settings: Settings, workers: int) -> None:
    given = options(settings, path.resolve().parent)
    if workers == 1:
        leave_on_hangup()
        with suppress(KeyboardInterrupt):
            Listening(uvicorn.Config(from_file(path), **given)).run()
        return
    with tempfile.TemporaryDirectory(prefix="smallfirst-") as counts:
        os.environ |= {PATH: str(path.resolve()), MULTIPROCESS: os.environ.get(MULTIPROCESS, counts)}
        gateway(settings, path.resolve().parent)
        config = uvicorn.Config("server.serving:application", factory=True, workers=workers, **given)
        Workers(config, [config.bind_socket()]).run()


def options(settings: Settings, folder: Path) -> Mapping[str, Any]:
    """uvicorn's; requests have log lines of our own. Relative paths start at `folder`; raises ConfigError."""
    listen, limits = settings.listen, settings.limits
    bounds = Bounds(limits.header_bytes, limits.header_seconds, limits.body_seconds, limits.connections, listen.stall)
    return {
        "host": listen.host,
        "port": listen.port,
        "http": bounded(bounds),
        "ws": "none",
        "log_level": "info",
        "access_log": False,
        "server_header": False,
        "proxy_headers": bool(listen.proxies),
        "forwarded_allow_ips": [str(network) for network in listen.proxies],
        "timeout_graceful_shutdown": listen.drain.timeout,
        "timeout_keep_alive": IDLE,
        "timeout_worker_healthcheck": STARVED,
        **encryption(listen.tls, folder),
    }


def encryption(tls: Tls | None, folder: Path) -> Mapping[str, Any]:
    """uvicorn's options for TLS, of files that were found to fit; relative paths start at `folder`; raises ConfigError."""
    if tls is None:
        return {}
    certificate, key = folder / tls.certificate, folder / tls.key
    signers = None if tls.client_ca is None else folder / tls.client_ca
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key, password=lambda: "")
        if signers is not None:
            context.load_verify_locations(signers)
    except (OSError, ValueError) as error:
        told = f"{certificate}, {key}: {error.strerror or error}" if isinstance(error, OSError) else str(error)
        raise ConfigError(f"listen.tls: {told}", param="listen.tls") from error
    asked = {} if signers is None else {"ssl_ca_certs": signers, "ssl_cert_reqs": ssl.CERT_REQUIRED}
    return {"ssl_certfile": certificate, "ssl_keyfile": key, **asked}
