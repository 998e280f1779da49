#!/usr/bin/env bash
# Build the image and test it with the restrictions of the manifests: not as root, on a read-only file
# system, without capabilities. Requests come from inside the container, so it needs no network.
#   deploy/check-image.sh [BUILD OPTION]...
# Environment: ENGINE (default docker), IMAGE (default mnist-svm:check).
set -euo pipefail
cd "$(dirname "$0")/.."
engine=${ENGINE:-docker}
image=${IMAGE:-mnist-svm:check}
largest=350 # MB
restrictions=(--read-only --tmpfs /tmp --network none --cap-drop ALL --security-opt no-new-privileges
  --memory 1536m --cpus 2)

server=
fail() {
  echo "FAILED: $*" >&2
  [ -z "$server" ] || "$engine" logs "$server" >&2
  exit 1
}

"$engine" build --tag "$image" "$@" .

size=$(($("$engine" image inspect --format '{{.Size}}' "$image") / 1000000))
echo "Size $size MB"
[ "$size" -le "$largest" ] || fail "the image has more than $largest MB"

"$engine" run --rm "${restrictions[@]}" "$image" --version
read -r _ digit _ < <("$engine" run --rm -i "${restrictions[@]}" "$image" predict - <images_test/7.png) || true
[ "$digit" = 7 ] || fail "the command reads a 7 as $digit"
echo "The command reads a 7"

start=$(date +%s%N)
server=$("$engine" run --detach "${restrictions[@]}" "$image")
trap '"$engine" rm --force "$server" >/dev/null' EXIT
inside() { "$engine" exec -i "$server" "$@"; }
# Send a request; fail unless its status is 200.
request() {
  inside python -c '
import sys
from http.client import HTTPConnection
method, path, *headers = sys.argv[1:]
connection = HTTPConnection("127.0.0.1", 8000, timeout=30)
body = sys.stdin.buffer.read()
connection.request(method, path, body, dict(header.split(": ") for header in headers))
response = connection.getresponse()
print(response.read().decode())
sys.exit(response.status != 200)' "$@"
}

until request GET /ready </dev/null >/dev/null 2>&1; do
  [ "$("$engine" inspect --format '{{.State.Running}}' "$server")" = true ] || fail "the server exited"
  [ $(($(date +%s%N) - start)) -lt 60000000000 ] || fail "not ready after 60 s"
done
echo "Ready after $((($(date +%s%N) - start) / 1000000)) ms, including the start of the container"

[ "$(inside id -u)" -ne 0 ] || fail "the server runs as root"
# Not even root, the owner of the folder, can write.
"$engine" exec --user 0 "$server" touch /opt/mnist-svm/probe 2>/dev/null && fail "the file system is writable"

for digit in {0..9}; do
  response=$(request POST /predict 'Content-Type: image/png' <"images_test/$digit.png") ||
    fail "the request with a $digit failed: $response"
  read=$(inside python -c 'import json, sys; print(json.load(sys.stdin)["predictions"][0]["label"])' \
    <<<"$response")
  [ "$read" = "$digit" ] || fail "the server reads a $digit as $read"
done
echo "The server reads all ten digits"

page=$(request GET / </dev/null) || fail "no web page"
[[ $page == *"<canvas"* ]] || fail "nothing to draw on"
page=$(request GET /docs </dev/null) || fail "no documentation"
files=$(grep --only-matching '[^"]*swagger-ui[^"]*[.]\(css\|js\)' <<<"$page") ||
  fail "no Swagger UI in the documentation"
for file in $files; do
  request GET "/$file" </dev/null >/dev/null || fail "the documentation lacks $file"
done
echo "The server has its pages"

"$engine" stats --no-stream --format 'Memory {{.MemUsage}}' "$server"

# Modules without bytecode would be compiled at each start.
inside python -v -m mnist_svm predict - <images_test/7.png 2>&1 >/dev/null |
  grep '^# code object from /' && fail "these modules have no bytecode"

# The other commands, which write to /tmp.
tar --create images_test data/*.gz mnist_svm/examples/files | inside tar --extract --directory /tmp
run() {
  "$engine" exec --workdir /tmp --env MNIST_SVM_DATA=/tmp/data "$server" mnist-svm "$@" ||
    fail "mnist-svm $*"
}
[[ $(run read mnist_svm/examples/files/page.jpg) == "72104 1495"* ]] ||
  fail "the command misreads the first line of a page"
run explain images_test/3.png
run train --limit 2000 --output small.joblib
run eval --model small.joblib | grep Accuracy
run teach mnist_svm/examples/files/hand/learn --model small.joblib --output taught.joblib
[ "$(run predict --model taught.joblib images_test/7.png | cut -f 2)" = 7 ] ||
  fail "the taught model misreads a 7"
echo "The commands read, explain, train, evaluate and teach"

"$engine" kill --signal TERM "$server" >/dev/null
status=$(timeout 40 "$engine" wait "$server") || fail "the server still runs 40 s after SIGTERM"
[ "$status" = 0 ] || fail "the exit code after SIGTERM is $status"
echo "The server exits on SIGTERM"
