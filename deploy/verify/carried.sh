#!/usr/bin/env bash
# Loads an archive of images into an empty Docker engine that has no network, and brings the shipped compose file up from it.
#   carried.sh ARCHIVE        as root; COMPOSE is docker compose's command, PYTHON one with the official client
# The engine, its state and its network end with this script.
set -euo pipefail
if [ -z "${CARRIED:-}" ]; then exec env CARRIED=1 unshare --net "$0" "$@"; fi
ip link set lo up
lab=$(mktemp -d /var/tmp/smallfirst-carried-XXXX)
export DOCKER_HOST=unix://$lab/docker.sock
dockerd --data-root "$lab/data" --exec-root "$lab/exec" --pidfile "$lab/pid" --host "$DOCKER_HOST" >"$lab/log" 2>&1 &
engine=$!
bare() { "$COMPOSE" -p smallfirst-carried -f deploy/compose.yaml "$@"; }
finish() {
  bare down --volumes --timeout 10 || true
  kill $engine
  wait $engine || true
  rm -rf "$lab"
}
trap finish EXIT
for _ in $(seq 60); do docker info >/dev/null 2>&1 && break; sleep 0.5; done
test -z "$(docker images --quiet)"
if ip route | grep -q '^default'; then echo "there is a way out"; exit 1; fi
gunzip -c "$1" | docker load --quiet
bare up --detach --no-build --pull never --wait gateway prometheus grafana
"$PYTHON" deploy/verify/load.py --url "http://127.0.0.1:$GATEWAY_PORT" --seconds 15
"$PYTHON" deploy/verify/observe.py data --prometheus "http://127.0.0.1:$PROMETHEUS_PORT" 'sum(smallfirst_requests_total{code="ok"}) > 0'
