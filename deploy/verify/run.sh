#!/usr/bin/env bash
# Verifies the deploy artefacts for real, part by part.
#   run.sh static      rules and their unit tests, Dockerfile, compose file, dashboards: promtool must be installed
#   run.sh chart       renders the chart with many values, validates it, installs, upgrades, rolls back and removes it on an API server that only
#                      keeps objects; KUBE_API=http://127.0.0.1:PORT names another one
#   run.sh image       builds the image and its inventory, runs it as it is meant to run, stops it while streams are under way
#   run.sh live        two workers with keys, audits, energy and machines by the hour, no container: every panel's data through a real Prometheus,
#                      alerts that must fire, the gateway's page in a headless Chromium; prometheus, chromium and chromium-driver must be installed
#   run.sh containers  brings the shipped compose file up, with keys and Valkey too, loads it, asks for every panel's data, kills Valkey and the gateway
#                      that is another one's engine, sees the alerts fire, comes down
#   run.sh carried     the images as an archive into an empty engine without any network, the shipped compose file up from it; root and dockerd needed
#   run.sh vllm        real vLLM, started by the gateway itself: needs it installed, on the search path or under the Python VLLM_PYTHON;
#                      VLLM_N greedy answers are compared (25 of each size), VLLM_CASCADE requests sent through the cascade (40)
# Image and containers need a Docker engine, DOCKER_HOST says which.
set -euo pipefail
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-.venv/bin/python}
TOOLS=${TOOLS:-build/verify}
PROJECT=smallfirst-verify
# The shipped configurations have no repair, no counter of energy, no machine paid by the hour: what nobody measures is absent.
ABSENT=(repairs energy_joules request_joules success_joules energy_idle idle_watts idle_usd)
# These need more labels than a few minutes bring; the part `live` asks for them.
RARE=(kept_error_bound calibration_error drift labels_total)
export PYTHONPATH=$PWD
export GATEWAY_PORT=${GATEWAY_PORT:-18080} CHAINED_PORT=${CHAINED_PORT:-18081} IMAGE_PORT=${IMAGE_PORT:-18082} KEYED_GATEWAY_PORT=${KEYED_GATEWAY_PORT:-18083}
export PROMETHEUS_PORT=${PROMETHEUS_PORT:-19090} GRAFANA_PORT=${GRAFANA_PORT:-13000}

say() { printf '\n== %s\n' "$*"; }

tools() {
  [ deploy/verify/tools.lock -ot "$TOOLS/ready" ] && return
  "$PYTHON" -m venv "$TOOLS"
  "$TOOLS/bin/pip" install --quiet --require-hashes -r deploy/verify/tools.lock
  touch "$TOOLS/ready"
}

bare() { env -i PATH="$PATH" HOME="$HOME" "$TOOLS/bin/docker-compose" "$@"; }
compose() { "$TOOLS/bin/docker-compose" -p "$PROJECT" -f deploy/compose.yaml -f deploy/verify/compose.chained.yaml "$@"; }

static() {
  tools
  say "Prometheus: configuration, rules, alerts and their unit tests"
  promtool check config deploy/prometheus/prometheus.yml
  promtool test rules deploy/prometheus/tests/*.yml
  say "Dockerfiles"
  "$TOOLS/bin/hadolint" Dockerfile deploy/verify/standins/*/Dockerfile && echo clean
  say "compose file with an empty environment, each profile"
  for profile in none gpu remote keys; do
    bare -f deploy/compose.yaml --profile "$profile" config --quiet && echo "$profile: valid"
  done
  say "dashboards"
  "$TOOLS/bin/python" deploy/verify/roundtrip.py
}

# The pinned image where it can be had, else a stand-in under its name.
provide() {
  docker image inspect "$1" >/dev/null 2>&1 && return
  docker pull --quiet "$1" 2>/dev/null && return
  say "STAND-IN for $1: it could not be pulled"
  docker build --quiet -t "$1" "deploy/verify/standins/$2"
}

down() { compose --profile '*' down --volumes --remove-orphans --timeout 45; }

chart() {
  tools
  say "chart: values, schema, manifests, configurations, releases"
  SMALLFIRST_PYTHON=$(realpath -s "$PYTHON") "$TOOLS/bin/python" -m pytest -rs helm/tests
}

live() {
  local browser=build/browser
  if ! [ deploy/verify/browser.lock -ot "$browser/ready" ]; then
    "$PYTHON" -m venv "$browser"
    "$browser/bin/pip" install --quiet --require-hashes -r deploy/verify/browser.lock
    touch "$browser/ready"
  fi
  say "live: every panel, alerts, the page in a browser"
  "$PYTHON" deploy/verify/live.py --seconds "${LIVE_SECONDS:-900}" \
    --also "$browser/bin/python deploy/verify/page.py --url {url} --key {key} --out build/page"
}

image() {
  tools
  local name; name=$(compose config --images gateway | grep -m1 smallfirst)
  say "image"
  docker build --quiet --build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || true)" --build-arg "CREATED=$(date -u +%FT%TZ)" --tag "$name" .
  docker image inspect --format 'size {{.Size}} bytes, user {{.Config.User}}' "$name"
  docker history --format '{{.Size}} {{.CreatedBy}}' "$name" | cut -c1-80
  docker run --rm --entrypoint cat "$name" /usr/share/doc/smallfirst/sbom.cdx.json |
    "$PYTHON" -c 'import json, sys; print("inventory:", len(json.load(sys.stdin)["components"]), "components")'
  say "it runs as nobody in particular, writes nowhere, and ends no stream that has begun"
  docker rm --force smallfirst-verify-image >/dev/null 2>&1 || true
  docker run --detach --name smallfirst-verify-image --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
    --publish "127.0.0.1:$IMAGE_PORT:8080" "$name" >/dev/null
  healthy
  test "$(docker exec smallfirst-verify-image id -u)" = 10001
  if docker exec smallfirst-verify-image touch /etc/smallfirst/written 2>/dev/null; then echo "the root file system can be written"; exit 1; fi
  "$PYTHON" deploy/verify/drain.py --url "http://127.0.0.1:$IMAGE_PORT" -- docker stop --time 60 smallfirst-verify-image
  test "$(docker inspect --format '{{.State.ExitCode}}' smallfirst-verify-image)" = 0
  docker rm smallfirst-verify-image >/dev/null
  say "it serves without a network"
  docker run --detach --rm --name smallfirst-verify-image --network none --read-only --tmpfs /tmp "$name" >/dev/null
  healthy
  docker rm --force smallfirst-verify-image >/dev/null
}

healthy() {
  until [ "$(docker inspect --format '{{.State.Health.Status}}' smallfirst-verify-image)" = healthy ]; do
    [ "$(docker inspect --format '{{.State.Running}}' smallfirst-verify-image)" = true ] || { docker logs smallfirst-verify-image; exit 1; }
    sleep 1
  done
}

containers() {
  tools
  images=$(compose --profile '*' config --images)
  provide "$(grep prom/prometheus <<<"$images")" prometheus
  provide "$(grep grafana/grafana <<<"$images")" grafana
  provide "$(grep valkey <<<"$images")" valkey
  docker image inspect "$(grep -m1 smallfirst <<<"$images")" >/dev/null 2>&1 || image
  trap down EXIT
  say "the shipped services come up healthy"
  key=$(compose run --rm keys new team-a --day-usd 50 --month-tokens 100000000)
  compose up --detach --no-build --wait gateway gateway-keyed prometheus grafana
  test "$(compose exec -T gateway id -u)" = 10001
  if compose exec -T -u 0 gateway touch /opt/smallfirst/written 2>/dev/null; then echo "the root file system can be written"; exit 1; fi
  say "where keys are asked for, nobody else is served, and metrics are not a client's"
  test "$(status /v1/models)" = 401
  test "$(status /v1/models -H "Authorization: Bearer $key")" = 200
  test "$(status /metrics -H "Authorization: Bearer $key")" = 403
  say "every panel has data under load"
  "$PYTHON" deploy/verify/load.py --url "http://127.0.0.1:$GATEWAY_PORT" --seconds 240 &
  local load=$!
  "$PYTHON" deploy/verify/load.py --url "http://127.0.0.1:$KEYED_GATEWAY_PORT" --key "$key" --seconds 900 &
  local keyed=$!
  "$PYTHON" deploy/verify/observe.py panels --prometheus "http://127.0.0.1:$PROMETHEUS_PORT" --patience 220 "${ABSENT[@]/#/--without=smallfirst_}" "${RARE[@]/#/--rare=smallfirst_}"
  kill $load 2>/dev/null || true
  say "an engine and Valkey are killed: requests are answered, alerts fire"
  compose up --detach --no-build --wait chained
  "$PYTHON" deploy/verify/load.py --url "http://127.0.0.1:$CHAINED_PORT" --seconds 20
  compose kill --signal SIGKILL gateway valkey
  "$PYTHON" deploy/verify/load.py --url "http://127.0.0.1:$CHAINED_PORT" --seconds 420 &
  load=$!
  "$PYTHON" deploy/verify/observe.py firing --prometheus "http://127.0.0.1:$PROMETHEUS_PORT" --patience 400 \
    SmallfirstDown SmallfirstEngineDown SmallfirstKeyLedgerLost
  kill $load $keyed 2>/dev/null || true
  test "$(status /v1/models -H "Authorization: Bearer $key")" = 200
  wait $keyed
  say "a gateway that is found by its name is missed when it is gone"
  compose kill --signal SIGKILL gateway-keyed
  "$PYTHON" deploy/verify/observe.py data --prometheus "http://127.0.0.1:$PROMETHEUS_PORT" --patience 240 \
    'ALERTS{alertname="SmallfirstDown",alertstate="firing",instance="gateway-keyed"}'
  say "it stops within its time"
  compose stop --timeout 45 chained
  compose ps --all --format '{{.Service}} {{.State}} {{.ExitCode}}' chained
}

status() { curl --silent --output /dev/null --write-out '%{http_code}' "http://127.0.0.1:$KEYED_GATEWAY_PORT$1" "${@:2}"; }

carried() {
  if [ "$(id -u)" != 0 ] || ! command -v dockerd >/dev/null || ! command -v unshare >/dev/null; then
    say "NOT RUN: an engine of its own needs root, dockerd and unshare"
    return
  fi
  tools
  say "carried as an archive into an empty engine without a network"
  compose config --images gateway prometheus grafana | sort -u | xargs docker save | gzip -1 >build/images.tar.gz
  echo "archive $(stat -c %s build/images.tar.gz) bytes"
  COMPOSE=$(realpath -s "$TOOLS/bin/docker-compose") PYTHON=$PYTHON deploy/verify/carried.sh build/images.tar.gz
  rm build/images.tar.gz
}

vllm() {
  say "vLLM: equal to the embedded engine, held to every form, killed and back"
  "$PYTHON" deploy/verify/vllm --n "${VLLM_N:-25}" --cascade "${VLLM_CASCADE:-40}" ${VLLM_PYTHON:+--cpu-build "$VLLM_PYTHON"}
}

for part in "${@:-static}"; do
  case $part in
    static | chart | live | image | containers | carried | vllm) "$part" ;;
    *) sed -n 2,15p "$0" >&2; exit 2 ;;
  esac
done
