#!/usr/bin/env bash
# Installs the S3 server that the tests talk to, built by the Go toolchain in a
# module of its own: ours is not touched. Run it again at any time: what is
# there and has been seen to start is left alone.
#
# HOLDFAST_TEST_SERVERS names the cache folder (default: .cache/servers in the
# root of the repository).
set -euo pipefail

version=v1.8.0
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${HOLDFAST_TEST_SERVERS:-$(cd "$here/../.." && pwd)/.cache/servers}
folder=$cache/s3

say() { printf 'test servers: %s\n' "$*"; }

fail() {
	printf 'test servers: %s\n' "$*" >&2
	exit 1
}

mkdir -p "$folder"
exec 8>"$folder/lock"
flock 8 # two runs at once would remove each other's work
if [ -f "$folder/ready" ] && [ "$(cat "$folder/ready")" = "$version" ] && [ -x "$folder/versitygw" ]; then
	say "s3 is ready"
	exit
fi
say "installing s3 (some minutes, once)"
rm -rf "$folder/bin" "$folder/ready"
(cd "$folder" && GOWORK=off GOFLAGS=-modcacherw CGO_ENABLED=0 GOBIN=$folder/bin go install "github.com/versity/versitygw/cmd/versitygw@$version")
"$folder/bin/versitygw" --version >/dev/null || fail "the S3 server does not start"
mv "$folder/bin/versitygw" "$folder/versitygw"
rm -rf "$folder/bin"
echo "$version" >"$folder/ready"
say "s3 is ready"
