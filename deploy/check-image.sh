#!/usr/bin/env bash
# Builds the image and tries it under the terms of the manifests: not as root, on a read-only file
# system, without capabilities and, as the requests come from inside, without a network.
#   deploy/check-image.sh [OPTION OF THE BUILD]...
# ENGINE=podman takes podman instead of docker, IMAGE another name.
set -euo pipefail
cd "$(dirname "$0")/.."
engine=${ENGINE:-docker}
image=${IMAGE:-mnist-svm:check}
locked=(--read-only --tmpfs /tmp --network none --cap-drop ALL --security-opt no-new-privileges
  --memory 1536m --cpus 2)

server=
fail() {
  echo "FAILED: $*" >&2
  [ -z "$server" ] || "$engine" logs "$server" >&2
  exit 1
}

"$engine" build --tag "$image" "$@" .

read -r _ digit _ < <("$engine" run --rm -i "${locked[@]}" "$image" predict - <images_test/7.png) || true
[ "$digit" = 7 ] || fail "the command read a 7 as $digit"
echo "The command reads a 7"

began=$(date +%s%N)
server=$("$engine" run --detach "${locked[@]}" "$image")
trap '"$engine" rm --force "$server" >/dev/null' EXIT
inside() { "$engine" exec -i "$server" "$@"; }
# Ends with an error unless it is answered with 200.
request() {
  inside python -c '
import sys
from http.client import HTTPConnection
method, path, *headers = sys.argv[1:]
connection = HTTPConnection("127.0.0.1", 8000, timeout=30)
body = sys.stdin.buffer.read()
connection.request(method, path, body, dict(header.split(": ") for header in headers))
answer = connection.getresponse()
print(answer.read().decode())
sys.exit(answer.status != 200)' "$@"
}

until request GET /ready </dev/null >/dev/null 2>&1; do
  [ "$("$engine" inspect --format '{{.State.Running}}' "$server")" = true ] || fail "it ended"
  [ $(($(date +%s%N) - began)) -lt 60000000000 ] || fail "not ready after 60 s"
done
echo "Ready after $((($(date +%s%N) - began) / 1000000)) ms, of which the engine takes some"

[ "$(inside id -u)" -ne 0 ] || fail "it runs as root"
# Even root, to whom the folder belongs, cannot.
"$engine" exec --user 0 "$server" touch /opt/mnist-svm/probe 2>/dev/null && fail "it can be written to"

for digit in {0..9}; do
  answer=$(request POST /predict 'Content-Type: image/png' <"images_test/$digit.png") ||
    fail "the server answered $digit with $answer"
  read=$(inside python -c 'import json, sys; print(json.load(sys.stdin)["predictions"][0]["digit"])' \
    <<<"$answer")
  [ "$read" = "$digit" ] || fail "the server read $digit as $read"
done
echo "The server reads ten of ten"

"$engine" stats --no-stream --format 'Memory {{.MemUsage}}' "$server"
echo "Size   $(($("$engine" image inspect --format '{{.Size}}' "$image") / 1000000)) MB"

"$engine" kill --signal TERM "$server" >/dev/null
status=$(timeout 40 "$engine" wait "$server") || fail "it goes on 40 s after SIGTERM"
[ "$status" = 0 ] || fail "after SIGTERM it ended with $status"
echo "It ends at SIGTERM"
