"""A stand-in for `vllm serve` that is a real program: it loads for a while, has a child of its own, answers, and can be made to crash."""

import json
import os
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ARGUMENTS = dict(zip(sys.argv[3::2], sys.argv[4::2], strict=False))
NAME = ARGUMENTS["--served-model-name"]
LIVES = Path(os.environ["LIVES"])
READY = time.monotonic() + float(os.environ.get("LOADING", "0"))


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer(200 if time.monotonic() >= READY else 503, {})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.headers["authorization"] != f"Bearer {os.environ['VLLM_API_KEY']}" or asked["model"] != NAME:
            self.answer(401, {})
            return
        if "crash" in asked["messages"][-1]["content"]:
            print("about to crash", flush=True)
            os._exit(3)
        message = {"role": "assistant", "content": f"words of {NAME}"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        self.answer(200, {"choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})

    def answer(self, status: int, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with LIVES.open("a") as lives:
    lives.write(json.dumps({"pid": os.getpid(), "child": child.pid, "arguments": sys.argv[1:]}) + "\n")
print(f"my key is {os.environ['VLLM_API_KEY']}", flush=True)
ThreadingHTTPServer(("127.0.0.1", int(ARGUMENTS["--port"])), Answers).serve_forever()
