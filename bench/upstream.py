"""The constant upstream: nginx on one core, which answers each of its ports with one recorded body."""

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.machine import free_ports, pinned, stop

CONF = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log crit;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_timeout 600; keepalive_requests 100000000; client_max_body_size 64m; client_body_buffer_size 2m;
  client_body_temp_path {folder}/body; open_file_cache max=64; sendfile off; output_buffers 1 2m;
{servers}
}}
"""
SERVER = """  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = /v1/chat/completions {{ error_page 405 =200 /{name}; return 405; }}
    location = /{name} {{ internal; root {folder}; default_type {kind}; }}
    location / {{ default_type application/json; return 200 '{{"data":[]}}'; }}
  }}"""


@dataclass(frozen=True, slots=True)
class Body:
    """What a port answers."""

    data: bytes
    kind: str = "application/json"


@contextmanager
def constant(bodies: Mapping[str, Body], folder: Path, core: int) -> Iterator[dict[str, str]]:
    """The base address of each body, without /v1; nginx is gone afterwards."""
    folder.chmod(0o755)
    ports = dict(zip(bodies, free_ports(len(bodies)), strict=True))
    for name, body in bodies.items():
        (folder / name).write_bytes(body.data)
    servers = "\n".join(SERVER.format(port=ports[name], name=name, folder=folder, kind=body.kind) for name, body in bodies.items())
    conf = folder / "nginx.conf"
    conf.write_text("user root;\n" + CONF.format(folder=folder, servers=servers))
    process = subprocess.Popen(pinned(core, ["nginx", "-c", str(conf), "-p", str(folder)]))  # noqa: S603  # nginx
    try:
        found = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        for address in found.values():
            wait_for(f"{address}/health", process)
        yield found
    finally:
        stop(process)


def wait_for(url: str, process: subprocess.Popen[bytes], seconds: float = 120.0, paths: Sequence[int] = (200,)) -> float:
    """Until the address answers; the seconds it took. Raises RuntimeError where the process ends or the time does."""
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        if process.poll() is not None:
            raise RuntimeError(f"{url}: the process ended with {process.returncode}")
        try:
            if httpx.get(url, timeout=5).status_code in paths:
                return time.monotonic() - started
        except httpx.TransportError:
            pass
        time.sleep(0.02)
    raise RuntimeError(f"{url} did not answer within {seconds} seconds")
