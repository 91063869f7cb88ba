#!/usr/bin/env bash
# Fetches promtool, which checks and tests the alert rules in contrib/, out of
# Debian's package of Prometheus: nothing is installed, and no server runs. Run it
# again at any time: what is there and has been seen to start is left alone.
#
# HOLDFAST_TEST_SERVERS names the cache folder (default: .cache/servers in the
# root of the repository).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${HOLDFAST_TEST_SERVERS:-$(cd "$here/../.." && pwd)/.cache/servers}
folder=$cache/promtool

say() { printf 'test servers: %s\n' "$*"; }

fail() {
	printf 'test servers: %s\n' "$*" >&2
	exit 1
}

mkdir -p "$folder"
exec 8>"$folder/lock"
flock 8 # two runs at once would remove each other's work
if [ -x "$folder/promtool" ] && "$folder/promtool" --version >/dev/null 2>&1; then
	say "promtool is ready"
	exit
fi
if found=$(command -v promtool); then
	ln -sf "$found" "$folder/promtool"
else
	say "fetching promtool (once)"
	command -v apt-get >/dev/null || fail "promtool is missing: install Prometheus, then run this again"
	rm -rf "$folder/package"
	mkdir "$folder/package"
	(
		cd "$folder/package"
		fetch() { apt-get -qq -o APT::Sandbox::User="$(id -un)" download prometheus 2>/dev/null; }
		root=()
		[ "$(id -u)" = 0 ] || root=(sudo)
		fetch || { "${root[@]}" apt-get -qq update && fetch; } || fail "apt-get download prometheus fails"
		dpkg-deb -x prometheus_*.deb .
	)
	mv "$folder/package/usr/bin/promtool" "$folder/promtool"
	rm -rf "$folder/package"
fi
"$folder/promtool" --version >/dev/null || fail "promtool does not start"
say "promtool is ready"
