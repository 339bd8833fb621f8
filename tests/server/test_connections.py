"""A real server on a real socket holds its clients to their bounds: headers, time, how many connections; and TLS and proxies."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from socket import SHUT_WR, create_connection, socket
from typing import Any

import httpx
import pytest
import trustme
import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from router.errors import ConfigError
from server.commands.serve import overridden
from server.config import checked
from server.serving import options
from tests.server.harness import Reply, settings, world
from tests.serving import running

SECONDS = 0.4
LIMITS = {"header_bytes": 2048, "header_seconds": SECONDS, "body_seconds": SECONDS, "connections": 20}
BODY = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "hi"}]}).encode()


@contextmanager
def serving(app: ASGIApp | None = None, folder: Path = Path(), **changes: Any) -> Iterator[int]:
    """The port of a server with the command's own options."""
    given = {"limits": LIMITS, **changes}
    served = world(**given).gateway.app if app is None else app
    server = uvicorn.Server(uvicorn.Config(served, **{**options(settings(**given), folder), "port": 0, "log_level": "critical"}))
    with running(server) as port:
        yield port


def whole(connection: socket, patience: float = 20.0) -> bytes:
    """Everything until the server closes."""
    connection.settimeout(patience)
    found = b""
    try:
        while piece := connection.recv(65536):
            found += piece
    except ConnectionResetError:
        pass
    return found


def answered(connection: socket) -> int:
    """The status of an answer that was read whole."""
    connection.settimeout(20)
    found = b""
    while b"\r\n\r\n" not in found:
        found += connection.recv(1)
    length = next(int(line.partition(b":")[2]) for line in found.lower().splitlines() if line.startswith(b"content-length"))
    for _ in range(length):
        connection.recv(1)
    return int(found.split()[1])


def told(answer: bytes) -> tuple[int, str]:
    """Status and code of an error in OpenAI's shape."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    return int(head.split()[1]), json.loads(body)["error"]["code"]


def drip(connection: socket, piece: bytes) -> bytes:
    """Send a piece again and again, each in time, until the server has had enough."""
    connection.settimeout(SECONDS / 4)
    for _ in range(200):
        try:
            connection.sendall(piece)
        except OSError:
            break
        try:
            found = connection.recv(65536)
        except TimeoutError:
            continue
        except OSError:
            break
        return found + whole(connection) if found else found
    return b""


HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"


def test_who_sends_headers_slowly_is_told_and_let_go() -> None:
    with serving() as port, closing(create_connection(("127.0.0.1", port))) as connection:
        started = time.monotonic()
        connection.sendall(HEAD)
        assert told(drip(connection, b"x-a: b\r\n")) == (408, "request_timeout")
        assert time.monotonic() - started < 10 * SECONDS


def test_who_says_nothing_is_let_go() -> None:
    with serving() as port, closing(create_connection(("127.0.0.1", port))) as connection:
        started = time.monotonic()
        assert whole(connection) == b""
        assert SECONDS / 2 < time.monotonic() - started < 10 * SECONDS


def test_who_sends_a_body_slowly_is_told_and_let_go() -> None:
    with serving() as port, closing(create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(HEAD + b"content-length: 100000\r\n\r\n{")
        assert told(drip(connection, b" ")) == (408, "request_timeout")


def test_who_goes_on_with_a_body_that_nobody_reads_is_let_go() -> None:
    """After its 404 the connection would otherwise stay as long as the client likes."""
    with serving() as port, closing(create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(HEAD.replace(b"chat/completions", b"nowhere") + b"content-length: 100000\r\n\r\n{")
        started = time.monotonic()
        drip(connection, b" ")
        assert time.monotonic() - started < 10


def test_a_second_request_on_a_connection_has_the_same_time() -> None:
    with serving() as port, closing(create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY)
        assert answered(connection) == 200
        time.sleep(2 * SECONDS)
        connection.sendall(HEAD)
        assert told(drip(connection, b"x-a: b\r\n")) == (408, "request_timeout")


def test_a_patient_stream_is_not_cut_by_the_senders_time() -> None:
    app = world([Reply("late", delay=4 * SECONDS)], limits=LIMITS).gateway.app
    with serving(app) as port:
        answer = httpx.post(f"http://127.0.0.1:{port}/v1/chat/completions", content=BODY, headers={"content-type": "application/json"})
    assert answer.status_code == 200


def test_who_closes_its_own_half_has_left() -> None:
    """Nothing on the wire tells it from who is gone."""
    made = world([Reply(hang=True)], limits={**LIMITS, "header_seconds": 20})
    with serving(made.gateway.app) as port, closing(create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(HEAD + SIZED + b"\r\n" + BODY)
        until(lambda: bool(made.small.running))
        connection.shutdown(SHUT_WR)
        until(lambda: len(made.small.cancelled) == 1)
        assert whole(connection) == b""


@pytest.mark.parametrize("stream", [False, True])
def test_who_leaves_takes_the_engines_work_along(stream: bool) -> None:
    made = world([Reply(hang=True)], limits={**LIMITS, "header_seconds": 20})
    with serving(made.gateway.app) as port:
        with closing(create_connection(("127.0.0.1", port))) as connection:
            body = json.dumps({**json.loads(BODY), "stream": stream}).encode()
            connection.sendall(HEAD + b"content-length: %d\r\n\r\n" % len(body) + body)
            until(lambda: bool(made.small.running))
        until(lambda: len(made.small.cancelled) == 1)


def until(true: Callable[[], bool]) -> None:
    """Wait for it, and not for ever."""
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(
    "header", [b"x-a: " + b"b" * 3000 + b"\r\n\r\n", b"x: y\r\n" * 1000 + b"\r\n", b"x-a: " + b"b" * 3000, b"x" * 3000]
)
def test_headers_beyond_their_limit_are_told_so_whole_or_not(header: bytes) -> None:
    with serving() as port, closing(create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(HEAD + header)
        assert told(whole(connection)) == (431, "headers_too_large")


@pytest.mark.parametrize("size", [LIMITS["header_bytes"] - 200, LIMITS["header_bytes"]])
def test_headers_that_came_behind_a_body_in_one_piece_are_held_to_their_limit(size: int) -> None:
    first = HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY
    with serving() as port, closing(create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(first + b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-a: " + b"b" * int(size))
        time.sleep(SECONDS / 4)
        connection.sendall(b"\r\n\r\n")
        statuses = [part.split()[0] for part in whole(connection).split(b"HTTP/1.1 ")[1:]]
        assert statuses == [b"200", b"200" if size < LIMITS["header_bytes"] else b"431"]


@pytest.mark.parametrize(
    "said", [b"\x16\x03\x01\x02\x00\x01", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n"]
)
def test_what_is_no_http_is_told_so_in_the_shape_of_every_error(said: bytes) -> None:
    with serving() as port, closing(create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(said)
        head, _, body = whole(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["error"] == {
        "message": "Invalid HTTP request received.",
        "type": "invalid_request_error",
        "param": None,
        "code": "invalid_request",
    }


CHUNKED = b"transfer-encoding: chunked\r\n"
IN_CHUNKS = b"%x\r\n%b\r\n0\r\n" % (len(BODY), BODY)
SIZED = b"content-length: %d\r\n" % len(BODY)
NO_HOSTS = (b"a b", b"u@a", b"a/b", b"a:b", b"[::1", b"a\xe9", b"%zz")
HOSTLESS = HEAD.replace(b"host: localhost\r\n", b"")


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (HOSTLESS, b"has none"),
        (HEAD + b"host: localhost\r\n", b"has 2"),
        (HEAD + b"Host: elsewhere\r\n", b"has 2"),
        (HOSTLESS.replace(b"1.1", b"1.0") + b"host: a\r\nhost: b\r\n", b"has 2"),
        *((HOSTLESS + b"host: %b\r\n" % host, b"no name or address") for host in NO_HOSTS),
        (HEAD.replace(b"1.1", b"2.0"), b"HTTP/2.0"),
        (HEAD.replace(b"1.1", b"0.9"), b"HTTP/0.9"),
    ],
)
def test_a_head_that_leaves_in_doubt_whom_it_is_for_is_refused(head: bytes, reason: bytes) -> None:
    """RFC 9112, 3.2: a proxy may have chosen by the other Host."""
    with serving() as port, closing(create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(head + SIZED + b"\r\n" + BODY)
        answer = whole(connection)
    assert told(answer) == (400, "invalid_request")
    assert reason in answer


@pytest.mark.parametrize(
    "host", [b"", b"localhost", b"localhost:8080", b"[::1]:8080", b"10.0.0.1:", b"a_b.svc.cluster.local", b"xn--e1afmkfd.example.", b"%41"]
)
def test_a_host_is_a_name_or_an_address_with_or_without_a_port(host: bytes) -> None:
    with serving(access={"open": True}) as port, closing(create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(HOSTLESS + b"host: %b\r\n" % host + SIZED + b"\r\n" + BODY)
        assert answered(connection) == 200
        connection.sendall(HOSTLESS.replace(b"1.1", b"1.0") + SIZED + b"\r\n" + BODY)
        assert answered(connection) == 200


@pytest.mark.parametrize(
    "framing",
    [
        b"transfer-encoding: gzip, chunked\r\n",
        b"transfer-encoding: gzip\r\n" + CHUNKED,
        b"transfer-encoding: , chunked\r\n",
        b"transfer-encoding: gzip\r\n",
        b"transfer-encoding: identity\r\n",
        b"transfer-encoding: xchunked\r\n",
        b"transfer-encoding: chunked;q=1\r\n",
        b"transfer-encoding: \x0bchunked\r\n",
        b"transfer-encoding : chunked\r\n",
        b"transfer-encoding:\r\n chunked\r\n",
        b"transfer-encoding: chunked, identity\r\n",
        CHUNKED * 2,
        CHUNKED + SIZED,
        SIZED + CHUNKED,
        SIZED + b"transfer-encoding: identity\r\n",
        CHUNKED.replace(b"\r\n", b"\n"),
        SIZED * 2,
        b"content-length: +5\r\n",
    ],
)
def test_a_body_whose_end_others_may_see_elsewhere_is_refused(framing: bytes) -> None:
    """The end of one request is the beginning of the next, which a proxy may have taken for a part of it."""
    with serving() as port, closing(create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(HEAD + framing + b"\r\n" + IN_CHUNKS + b"\r\n" + HEAD + SIZED + b"\r\n" + BODY)
        answer = whole(connection)
    assert b"HTTP/1.1 200" not in answer
    assert told(answer) == (400, "invalid_request")


def test_chunks_are_no_part_of_http_1_0() -> None:
    """RFC 9112, 6.1."""
    with serving() as port, closing(create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(HEAD.replace(b"1.1", b"1.0") + CHUNKED + b"\r\n" + IN_CHUNKS + b"\r\n")
        assert told(whole(connection)) == (400, "invalid_request")


@pytest.mark.parametrize("broken", [b"-1\r\n", b"0x1\r\na\r\n", b"1\n{\r\n", b"1\r\n{}}\r\n", b"1" + 16 * b"0" + b"\r\n"])
def test_a_body_that_breaks_off_its_form_is_told_so(broken: bytes) -> None:
    with serving() as port, closing(create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(HEAD + CHUNKED + b"\r\n" + broken)
        assert told(whole(connection)) == (400, "invalid_request")


WHOLE = HEAD + SIZED + b"\r\n" + BODY


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "broken",
    [b'"}', b"\0", HEAD + CHUNKED + b"\r\n-1\r\n", HEAD + b"x-a: " + b"b" * 3000, HEAD, HOSTLESS + b"\r\n"],
    ids=["a length that is too short", "a byte", "chunks", "endless headers", "slow headers", "no host"],
)
@pytest.mark.parametrize("before", [1, 3])
def test_what_comes_before_something_broken_is_answered_first(broken: bytes, before: int, stream: bool) -> None:
    """Clients that count characters for bytes send the end of their body as the beginning of another request."""
    body = json.dumps({**json.loads(BODY), "stream": stream}).encode()
    whole_one = HEAD + b"content-length: %d\r\n\r\n" % len(body) + body
    made = world([Reply("late", delay=SECONDS)], limits=LIMITS)
    with serving(made.gateway.app) as port, closing(create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(whole_one * before + broken)
        time.sleep(SECONDS / 2)
        connection.sendall(b"\0" * 100)
        answer = whole(connection)
    assert answer.count(b"HTTP/1.1 200") == before
    assert answer.count(b"late") == before
    assert answer.count(b"HTTP/1.1 ") == before + (b"HTTP/1.1 400" in answer)


def test_who_leaves_behind_something_broken_takes_the_work_along() -> None:
    made = world([Reply(hang=True)], limits={**LIMITS, "header_seconds": 20})
    with serving(made.gateway.app) as port:
        with closing(create_connection(("127.0.0.1", port))) as connection:
            connection.sendall(WHOLE + b"\0")
            until(lambda: bool(made.small.running))
        until(lambda: len(made.small.cancelled) == 1)


def test_what_follows_a_body_as_headers_is_none() -> None:
    """Else it would stand for what a proxy would not have let pass: a key, say."""
    said: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await Request(scope, receive).body()
            said.append(dict(scope["headers"]))
            await JSONResponse({})(scope, receive, send)

    with serving(app) as port, closing(create_connection(("127.0.0.1", port))) as connection:
        for _ in range(2):
            connection.sendall(HEAD + CHUNKED + b"\r\n" + IN_CHUNKS + b"authorization: Bearer x\r\nhost: elsewhere\r\n\r\n")
            assert answered(connection) == 200
    assert [(b"authorization" in headers, headers[b"host"]) for headers in said] == [(False, b"localhost")] * 2


@pytest.mark.parametrize("piece", [b"x-a: b\r\n" * 300, b"x" * 3000])
def test_endless_headers_after_a_body_are_not_kept(piece: bytes) -> None:
    with serving() as port, closing(create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(HEAD + CHUNKED + b"\r\n" + IN_CHUNKS)
        assert told(drip(connection, piece)) == (431, "headers_too_large")


def test_endless_headers_after_a_body_are_not_kept_behind_an_early_answer_either() -> None:
    with serving() as port, closing(create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(HEAD.replace(b"chat/completions", b"nowhere") + CHUNKED + b"\r\n" + IN_CHUNKS)
        assert answered(connection) == 404
        assert drip(connection, b"x" * 3000) == b""


def test_a_body_in_many_small_chunks_or_pieces_is_no_endless_header() -> None:
    padded = BODY + b" " * 20_000
    with serving() as port, closing(create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(HEAD + CHUNKED + b"\r\n" + b"".join(b"1\r\n%c\r\n" % letter for letter in padded) + b"0\r\nx: y\r\n\r\n")
        assert answered(connection) == 200
        connection.sendall(HEAD + b"content-length: %d\r\n\r\n" % len(padded))
        for index in range(0, len(padded), 500):
            connection.sendall(padded[index : index + 500])
        assert answered(connection) == 200


@pytest.mark.parametrize(
    "head", [b"CONNECT localhost:1 HTTP/1.1\r\nhost: localhost\r\n", b"GET http://[::1 HTTP/1.1\r\nhost: localhost\r\n"]
)
def test_what_is_no_address_is_told_so(head: bytes) -> None:
    with serving() as port, closing(create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(head + b"\r\n")
        assert told(whole(connection)) == (400, "invalid_request")


def test_an_endless_header_is_not_kept() -> None:
    with serving() as port, closing(create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(HEAD + b"x-a: ")
        connection.settimeout(20)
        with pytest.raises((ConnectionError, TimeoutError)):
            connection.sendall(b"b" * 50_000_000)


def test_beyond_so_many_connections_further_ones_are_closed_at_once() -> None:
    with serving(limits=LIMITS | {"header_seconds": 30}) as port:
        held = [create_connection(("127.0.0.1", port)) for _ in range(20)]
        time.sleep(0.1)
        with closing(create_connection(("127.0.0.1", port))) as further:
            assert whole(further, 5) == b""
        for connection in held:
            connection.close()
        time.sleep(0.1)
        assert httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200


OFFERS = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAAAAIAAAAB\r\n"
"""As Java's own client sends with every request to a plain address."""


@pytest.mark.parametrize("cut", [10, 60, len(HEAD) + 20, len(HEAD) + len(OFFERS) + 10, len(HEAD) + len(OFFERS) + 25])
def test_another_protocol_that_is_offered_costs_a_request_neither_its_body_nor_the_next_its_beginning(cut: int) -> None:
    said = (HEAD + OFFERS + b"content-length: %d\r\n\r\n" % len(BODY) + BODY) * 3
    with serving() as port, closing(create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(said[:cut])
        time.sleep(0.05)
        connection.sendall(said[cut:])
        assert [answered(connection) for _ in range(3)] == [200, 200, 200]


def test_a_body_in_chunks_beside_an_offer_is_read_and_a_tunnel_is_no_offer() -> None:
    chunked = HEAD + OFFERS + b"transfer-encoding: chunked\r\n\r\n" + b"%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n"
    with serving() as port, closing(create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(chunked)
        assert answered(connection) == 200
        connection.sendall(b"CONNECT localhost:1 HTTP/1.1\r\nhost: localhost\r\n" + OFFERS + b"\r\n")
        assert told(whole(connection)) == (400, "invalid_request")


def test_bodies_that_come_in_pieces_and_requests_in_one_pile_are_served() -> None:
    with serving() as port, closing(create_connection(("127.0.0.1", port))) as connection:
        request = HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY
        for index in range(0, len(request), 7):
            connection.sendall(request[index : index + 7])
        assert answered(connection) == 200
        connection.sendall(request * 3 + HEAD.replace(b"POST", b"GET") + b"connection: close\r\n\r\n")
        assert whole(connection).count(b"HTTP/1.1 200") == 3


async def _who(scope: Any, receive: Any, send: Any) -> None:
    request = Request(scope)
    assert request.client is not None
    await JSONResponse({"client": request.client.host, "scheme": request.url.scheme})(scope, receive, send)


SAID = {"x-forwarded-for": "203.0.113.9, 198.51.100.2", "x-forwarded-proto": "https"}


@pytest.mark.parametrize(
    ("proxies", "client", "scheme"),
    [
        ([], "127.0.0.1", "http"),
        (["10.0.0.0/8"], "127.0.0.1", "http"),
        (["127.0.0.1"], "198.51.100.2", "https"),
        (["127.0.0.0/8", "198.51.100.0/24"], "203.0.113.9", "https"),
    ],
)
def test_forwarded_headers_are_believed_of_trusted_proxies_alone(
    proxies: list[str], client: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await _who(scope, receive, send)

    with serving(app, listen={"proxies": proxies}) as port:
        found = httpx.get(f"http://127.0.0.1:{port}/", headers=SAID).json()
    assert found == {"client": client, "scheme": scheme}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> dict[str, str]:
    """A certificate for localhost with its key, and who signs clients'."""
    made = authority.issue_cert("localhost", "127.0.0.1")
    made.private_key_pem.write_to_path(tmp_path / "key.pem")
    made.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return {"certificate": "cert.pem", "key": "key.pem"}


def trusting(authority: trustme.CA, change: Callable[[ssl.SSLContext], object] = lambda context: None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    change(context)
    return context


def test_tls_is_served_and_nothing_else_beside_it(files: dict[str, str], authority: trustme.CA, tmp_path: Path) -> None:
    with serving(folder=tmp_path, listen={"tls": files}) as port:
        assert httpx.get(f"https://localhost:{port}/healthz", verify=trusting(authority)).status_code == 200
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://localhost:{port}/healthz")
        old = trusting(authority, lambda context: context.set_ciphers("AES128-SHA:@SECLEVEL=0"))
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"https://localhost:{port}/healthz", verify=old)


def test_who_must_show_a_certificate_and_has_none_is_refused(files: dict[str, str], authority: trustme.CA, tmp_path: Path) -> None:
    with serving(folder=tmp_path, listen={"tls": {**files, "client_ca": "ca.pem"}}) as port:
        with pytest.raises(httpx.TransportError):
            httpx.get(f"https://localhost:{port}/healthz", verify=trusting(authority))
        known = trusting(authority, authority.issue_cert("client").configure_cert)
        assert httpx.get(f"https://localhost:{port}/healthz", verify=known).status_code == 200


@pytest.mark.parametrize("change", [{"key": "nowhere.pem"}, {"key": "ca.pem"}, {"certificate": "key.pem"}, {"client_ca": "key.pem"}])
def test_files_that_do_not_fit_are_refused_before_anything_listens(files: dict[str, str], change: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        options(settings(listen={"tls": files | change}), tmp_path)
    assert caught.value.param == "listen.tls"


def test_certificate_and_key_can_be_named_on_the_command_line(tmp_path: Path) -> None:
    known = overridden(settings(), None, 9, (str(tmp_path / "c.pem"), str(tmp_path / "k.pem")))
    assert known.listen.tls is not None
    assert (known.listen.port, known.listen.tls.key) == (9, str(tmp_path / "k.pem"))
    with pytest.raises(ConfigError, match=r"listen\.tls\.key"):
        overridden(settings(), None, None, (str(tmp_path / "c.pem"), None))


@pytest.mark.parametrize(
    "listen", [{"proxies": ["everyone"]}, {"proxies": ["*"]}, {"origins": ["*"]}, {"origins": ["https://app.example/"]}]
)
def test_nobody_can_trust_everyone_by_a_star(listen: dict[str, list[str]]) -> None:
    with pytest.raises(ConfigError, match=r"listen\.(proxies|origins)\.0"):
        checked(settings().model_dump() | {"listen": listen})


def test_a_client_that_takes_nothing_does_not_keep_its_connection() -> None:
    gone = threading.Event()

    async def flood(_scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * 100_000_000, "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()

    with serving(flood, listen={"stall": 1}) as port, closing(create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert gone.wait(30)
