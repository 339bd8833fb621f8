#!/usr/bin/env bash
# Verifies the deploy artefacts for real.
#   run.sh static      rules and their unit tests, Dockerfile, compose file, dashboards: promtool must be installed
#   run.sh containers  builds the image, brings the shipped compose file up, loads it, asks for every panel's data, kills the gateway that is
#                      another one's engine, sees the alerts fire, comes down: a Docker engine, DOCKER_HOST says which
set -euo pipefail
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-.venv/bin/python}
TOOLS=${TOOLS:-build/verify}
PROJECT=smallfirst-verify
ABSENT=(kept_error_bound calibration_error drift labels_total audits_missed_total) # the shipped configuration has no store and no audits
export PYTHONPATH=$PWD
export GATEWAY_PORT=18080 CHAINED_PORT=18081 PROMETHEUS_PORT=19090 GRAFANA_PORT=13000

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
  for profile in none gpu remote; do
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

containers() {
  tools
  images=$(compose config --images)
  provide "$(grep prom/prometheus <<<"$images")" prometheus
  provide "$(grep grafana/grafana <<<"$images")" grafana
  trap down EXIT
  say "image"
  compose build gateway
  docker image inspect --format 'size {{.Size}} bytes, user {{.Config.User}}' "$(grep -m1 smallfirst <<<"$images")"
  say "the shipped services come up healthy"
  compose up --detach --no-build --wait gateway prometheus grafana
  test "$(compose exec -T gateway id -u)" = 10001
  if compose exec -T -u 0 gateway touch /opt/smallfirst/written 2>/dev/null; then echo "the root file system can be written"; exit 1; fi
  say "every panel has data under load"
  "$PYTHON" deploy/verify/load.py --url "http://127.0.0.1:$GATEWAY_PORT" --seconds 240 &
  load=$!
  "$PYTHON" deploy/verify/observe.py panels --prometheus "http://127.0.0.1:$PROMETHEUS_PORT" --patience 220 "${ABSENT[@]/#/--without=smallfirst_}"
  kill $load 2>/dev/null || true
  say "an engine is killed: requests are answered, alerts fire"
  compose up --detach --no-build --wait chained
  "$PYTHON" deploy/verify/load.py --url "http://127.0.0.1:$CHAINED_PORT" --seconds 20
  compose kill --signal SIGKILL gateway
  "$PYTHON" deploy/verify/load.py --url "http://127.0.0.1:$CHAINED_PORT" --seconds 420 &
  load=$!
  "$PYTHON" deploy/verify/observe.py firing --prometheus "http://127.0.0.1:$PROMETHEUS_PORT" --patience 400 SmallfirstDown SmallfirstEngineDown
  kill $load 2>/dev/null || true
  say "it stops within its time"
  compose stop --timeout 45 chained
  compose ps --all --format '{{.Service}} {{.State}} {{.ExitCode}}' chained
}

for part in "${@:-static}"; do
  case $part in
    static | containers) "$part" ;;
    *) sed -n 2,5p "$0" >&2; exit 2 ;;
  esac
done
