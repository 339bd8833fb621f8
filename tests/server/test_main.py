"""The command line: what it serves, what it refuses in one line with exit code 2, and how it stops."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from openai import NotFoundError, OpenAI

from server.__main__ import main

SETTINGS = """
access: {open: true}
functions: server.assistant:registry
engines:
  slm: {kind: scripted, replies: ['{"tool_calls":[{"name":"set_timer","arguments":{"minutes":5}}]}']}
  llm: {kind: scripted, replies: ["words of the large one"]}
routes:
  auto:
    tiers:
      - {name: small, engine: slm, price: {prompt: 1, completion: 1}}
      - {name: large, engine: llm, price: {prompt: 10, completion: 10}}
    verifiers: [{kind: contract}, {kind: function}]
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("settings") / "gateway.yaml"
    path.write_text(SETTINGS)
    return path


def start(settings: Path, *more: str, log: Path | None = None) -> tuple[subprocess.Popen[str], str]:
    """What is logged can be read from the process, unless it is much: then it must go to a file, or the process waits for its reader."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "server", "serve", "--config", str(settings), "--port", str(port), *more]
    with contextlib.nullcontext(subprocess.PIPE) if log is None else log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, text=True)
    url = f"http://127.0.0.1:{port}"
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(f"{url}/readyz").is_success:
                return process, url
        except httpx.TransportError:
            time.sleep(0.05)
    process.kill()
    raise AssertionError("the server did not start")


@pytest.fixture(scope="module")
def url(settings: Path) -> Iterator[str]:
    process, address = start(settings)
    yield address
    process.terminate()
    process.communicate(timeout=30)


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0) as made:
        yield made


TIMER = {"name": "set_timer", "parameters": {"type": "object", "properties": {"minutes": {"type": "integer"}}, "required": ["minutes"]}}


def test_the_official_client_chats(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="auto/large", messages=[{"role": "user", "content": "hi"}])
    assert answer.choices[0].message.content == "words of the large one"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 6


def test_the_official_client_calls_tools(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model="auto", messages=[{"role": "user", "content": "5 minutes"}], tools=[{"type": "function", "function": TIMER}]
    )
    [call] = answer.choices[0].message.tool_calls or ()
    assert call.type == "function"
    assert json.loads(call.function.arguments) == {"minutes": 5}
    assert answer.choices[0].finish_reason == "tool_calls"


def test_the_official_client_streams_text_with_usage(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model="auto/large", messages=[{"role": "user", "content": "hi"}], stream=True, stream_options={"include_usage": True}
    )
    found = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in found if chunk.choices) == "words of the large one"
    assert found[-1].usage is not None


def test_the_official_clients_stream_helper_joins_tool_calls(client: OpenAI) -> None:
    with client.chat.completions.stream(
        model="auto", messages=[{"role": "user", "content": "5"}], tools=[{"type": "function", "function": TIMER}]
    ) as stream:
        for _ in stream:
            pass
        [call] = stream.get_final_completion().choices[0].message.tool_calls or ()
    assert json.loads(call.function.arguments) == {"minutes": 5}


def test_the_official_client_understands_errors_and_lists(client: OpenAI) -> None:
    with pytest.raises(NotFoundError) as caught:
        client.chat.completions.create(model="gpt-99", messages=[{"role": "user", "content": "hi"}])
    assert (caught.value.code, caught.value.param, caught.value.type) == ("model_not_found", "model", "invalid_request_error")
    assert [model.id for model in client.models.list()] == ["auto", "auto/small", "auto/large"]


def test_a_client_that_leaves_a_real_server_is_counted_as_cancelled(tmp_path: Path) -> None:
    """Its engine waits for an upstream that never answers."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        path = tmp_path / "deaf.yaml"
        engine = f'{{kind: openai, base_url: "http://127.0.0.1:{deaf.getsockname()[1]}/v1", model: m}}'
        tier = "{engine: slm, price: {prompt: 1, completion: 1}}"
        path.write_text(f"engines: {{slm: {engine}}}\nroutes: {{auto: {{tiers: [{tier}]}}}}\n")
        process, address = start_unready(path)
        body = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{address}/v1/chat/completions", json=body, timeout=0.5)
        counted = 'smallfirst_requests_total{code="cancelled",route="auto",tier=""} 1.0'
        assert any(counted in httpx.get(f"{address}/metrics").text or time.sleep(0.05) for _ in range(100))
        process.terminate()
        process.communicate(timeout=30)


def start_unready(settings: Path) -> tuple[subprocess.Popen[str], str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "server", "serve", "--config", str(settings), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for _ in range(1200):
        try:
            httpx.get(f"http://127.0.0.1:{port}/healthz")
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            break
    return process, f"http://127.0.0.1:{port}"


def test_sigterm_lets_what_is_under_way_finish_and_logs_it(settings: Path) -> None:
    process, address = start(settings)
    response = httpx.post(f"{address}/v1/chat/completions", json={"model": "auto/large", "messages": [{"role": "user", "content": "hi"}]})
    assert response.status_code == 200
    process.send_signal(signal.SIGTERM)
    logged, _ = process.communicate(timeout=30)
    assert process.returncode in (0, -signal.SIGTERM)
    assert [json.loads(line)["code"] for line in logged.splitlines()] == ["ok"]


def test_several_workers_count_together(settings: Path) -> None:
    process, address = start(settings, "--workers", "2")
    body = {"model": "auto/large", "messages": [{"role": "user", "content": "hi"}]}
    for _ in range(8):
        assert httpx.post(f"{address}/v1/chat/completions", json=body).status_code == 200
    text = httpx.get(f"{address}/metrics").text
    process.terminate()
    process.communicate(timeout=30)
    assert 'smallfirst_requests_total{code="ok",route="auto",tier="large"} 8.0' in text


@pytest.mark.parametrize("command", [["serve"], ["check"], ["demo"]])
def test_a_bad_configuration_is_one_line_and_exit_code_2(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(SETTINGS.replace("access:", "acess:"))
    assert main([*command, "--config", str(path)]) == 2
    assert capsys.readouterr().err == "smallfirst: acess: unknown key\n"


@pytest.mark.parametrize(
    ("command", "option", "value"),
    [
        ("serve", "--workers", "0"),
        ("serve", "--workers", "-3"),
        ("check", "--workers", "0"),
        ("recalibrate", "--least", "0"),
        ("recalibrate", "--days", "-1"),
        ("recalibrate", "--days", "nan"),
    ],
)
def test_an_amount_that_makes_no_sense_is_refused_by_its_option(
    command: str, option: str, value: str, settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--config", str(settings), f"{option}={value}"])
    assert ended.value.code == 2
    assert f"argument {option}: " in capsys.readouterr().err


def test_a_demonstration_whose_server_is_late_says_what_it_waited_for(settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--config", str(settings), "--wait", "0.01"]) == 1
    assert capsys.readouterr().err == "smallfirst: the server was not ready within 0.01 s: it does not answer yet\n"


def test_a_demonstration_whose_server_cannot_start_says_why(settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Such as one whose models are not there: the configuration is good, its engines are not."""
    lost = settings.with_name("lost.yaml")
    lost.write_text(SETTINGS.replace('{kind: scripted, replies: ["words of the large one"]}', "{kind: embedded, path: /nowhere}"))
    assert main(["demo", "--config", str(lost)]) == 1
    assert "the server ended with exit code" in (said := capsys.readouterr().err)
    assert "/nowhere" in said


DEMONSTRATING = """
import sys, time
from pathlib import Path
from server.demo import serving
with serving(Path(sys.argv[1])) as url:
    print(url, flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_the_server_of_a_demonstration_ends_with_it_however_that_ends(end: signal.Signals, settings: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", DEMONSTRATING, str(settings)], stdout=subprocess.PIPE, text=True) as demonstration:
        assert demonstration.stdout is not None
        port = int(demonstration.stdout.readline().rpartition(":")[2])
        demonstration.send_signal(end)
    patience = time.monotonic() + 30
    while time.monotonic() < patience:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.05)
    pytest.fail("it serves on")


def test_an_address_of_the_command_line_is_checked_like_the_files(settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    closed = settings.with_name("closed.yaml")
    closed.write_text(SETTINGS.replace("access: {open: true}", ""))
    assert main(["serve", "--config", str(closed), "--host", "0.0.0.0"]) == 2  # noqa: S104  # the point of the test
    assert "listen.host" in capsys.readouterr().err


def test_check_says_that_a_configuration_is_fine(settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--config", str(settings)]) == 0
    assert "auto (small < large)" in capsys.readouterr().out


CONFIDENT = "{kind: rule, expression: 'true'}"
SINGLE = "{name: large, engine: llm, price: {prompt: 10, completion: 10}}"
PAIR = "[{kind: contract}, {kind: function}]"


@pytest.mark.parametrize(
    ("route", "warned"),
    [
        ("", "it rules on all prose, which no verifier judges: each smaller tier's draft is paid for and deferred"),
        ("when_all_abstain: accept", "it rules on all prose, which no verifier judges: every draft is kept"),
        ("mode: evaluate", None),
        (f"verifiers: [{CONFIDENT}]", None),
        (f"{{verifiers: [{CONFIDENT}], when_all_abstain: accept}}", "it is never asked: a rule verifier rules on every draft"),
        ("{verifiers: [{kind: rule, expression: 'true', when: last}], when_all_abstain: accept}", None),
        (f"tiers: [{SINGLE}]", None),
        (f"{{tiers: [{SINGLE}], when_all_abstain: defer}}", "it is never asked: an answer of the last tier is kept"),
        ("{mode: 'off', when_all_abstain: defer}", "it is never asked: an answer of the last tier is kept"),
    ],
)
def test_check_warns_where_a_rule_on_abstentions_never_speaks_or_always(
    route: str, warned: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = yaml.safe_load(SETTINGS)
    document["routes"]["auto"] |= yaml.safe_load(route or "{}")
    document |= {"outcomes": {"url": "sqlite:///state/o.db"}}
    path = tmp_path / "g.yaml"
    path.write_text(yaml.safe_dump(document))
    assert main(["check", "--config", str(path)]) == 0
    told = capsys.readouterr().err
    assert told == "" if warned is None else f"warning: routes.auto.when_all_abstain: {warned}" in told


def test_check_says_where_nothing_was_compiled(settings: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.compiled.built", lambda name: None)
    assert main(["check", "--config", str(settings)]) == 0
    assert "judged in plain Python" in capsys.readouterr().out


def test_check_warns_of_a_verifier_that_stands_twice(settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    twice = settings.with_name("twice.yaml")
    twice.write_text(SETTINGS.replace(PAIR, f"[{CONFIDENT}, {{kind: contract}}, {{kind: rule, expression: 'last'}}, {CONFIDENT}]"))
    assert main(["check", "--config", str(twice)]) == 0
    same = "it is the same as routes.auto.verifiers.0, and tells nothing new"
    assert capsys.readouterr().err.splitlines() == [f"warning: routes.auto.verifiers.3: {same}"]


@pytest.mark.parametrize("key", ["outcomes", "responses"])
@pytest.mark.parametrize(
    ("path", "trouble"),
    [("state/o.db", None), ("{}/a/b/o.db", None), ("{}/file/o.db", "file is no folder"), ("{}", "is no file"), ("{}/file", None)],
)
def test_check_warns_of_a_database_that_cannot_be_written(
    key: str, path: str, trouble: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    config = tmp_path / "g.yaml"
    config.write_text(SETTINGS.replace(PAIR, f"[{CONFIDENT}]") + f'{key}: {{url: "sqlite:///{path.format(tmp_path)}"}}\n')
    assert main(["check", "--config", str(config)]) == 0
    told = capsys.readouterr().err
    assert told == "" if trouble is None else told.startswith(f"warning: {key}.url: {tmp_path}") and trouble in told


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_check_warns_of_a_folder_that_is_closed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    config = tmp_path / "g.yaml"
    config.write_text(SETTINGS.replace(PAIR, f"[{CONFIDENT}]") + 'outcomes: {url: "sqlite:///closed/state/o.db"}\n')
    assert main(["check", "--config", str(config)]) == 0
    assert capsys.readouterr().err == f"warning: outcomes.url: {tmp_path / 'closed'} cannot be written to\n"


def test_check_refuses_a_certificate_that_is_not_there(settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secure = settings.with_name("secure.yaml")
    secure.write_text(f"{SETTINGS}\nlisten: {{tls: {{certificate: none.pem, key: none.key}}}}\n")
    assert main(["check", "--config", str(secure)]) == 2
    assert "listen.tls" in capsys.readouterr().err


@pytest.mark.parametrize(("workers", "code"), [(1, 0), (2, 2)])
def test_check_refuses_workers_that_would_each_grant_the_whole_of_a_limit(tmp_path: Path, workers: int, code: int) -> None:
    path = tmp_path / "keyed.yaml"
    path.write_text(SETTINGS.replace("access: {open: true}", "access: {keys_file: keys.yaml}"))
    assert main(["keys", "new", "team-a", "--file", str(tmp_path / "keys.yaml"), "--rate", "60"]) == 0
    command = [sys.executable, "-m", "server", "check", "--config", str(path), "--workers", str(workers)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == code
    assert ("keys.team-a: several workers must count its limits together" in told.stderr) is (workers > 1)


@pytest.mark.parametrize("command", ["serve", "check", "demo"])
def test_every_commands_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert f"example:\n  smallfirst {command}" in capsys.readouterr().out


def test_importing_the_server_pulls_neither_torch_nor_vllm() -> None:
    program = "import sys, server.serving; print([m for m in ('torch', 'transformers', 'vllm', 'sklearn') if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)
    assert told.stdout.strip() == "[]"
