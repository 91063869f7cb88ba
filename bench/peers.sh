#!/usr/bin/env bash
# Installs the other backup tools that bench measures holdfast beside: restic
# and borg from Debian (and nginx, a reverse proxy), litestream through Go's module proxy. None of them is
# needed by holdfast or its tests; bench says in its tables which are missing.
set -euo pipefail

litestream=v0.5.18

root=()
[ "$(id -u)" = 0 ] || root=(sudo)
missing=()
command -v restic >/dev/null || missing+=(restic)
command -v borg >/dev/null || missing+=(borgbackup)
command -v nginx >/dev/null || missing+=(nginx-light)
if [ "${#missing[@]}" -gt 0 ]; then
	"${root[@]}" apt-get -qq update
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq install -y --no-install-recommends "${missing[@]}"
fi
if ! command -v litestream >/dev/null; then
	CGO_ENABLED=0 go install "github.com/benbjohnson/litestream/cmd/litestream@$litestream" ||
		echo "peers.sh: litestream $litestream cannot be had here; bench goes on without it" >&2
	echo "peers.sh: litestream is in $(go env GOPATH)/bin; put that on the PATH" >&2
fi
