#!/usr/bin/env bash
# Installs axe, which the tests of this folder run in the browser. Run it again at any
# time: what is there is left alone. Needs npm (./test.sh installs it).
#
# HOLDFAST_TEST_SERVERS names the cache folder (default: .cache/servers in the
# root of the repository).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${HOLDFAST_TEST_SERVERS:-$(cd "$here/../.." && pwd)/.cache/servers}
folder=$cache/axe

say() { printf 'test browser: %s\n' "$*"; }

stamp() { cat "$here/install.sh" "$here/axe/package-lock.json" | sha256sum | cut -d' ' -f1; }

mkdir -p "$cache"
exec 6>"$cache/axe.lock"
flock 6 # two runs at once would remove each other's work
if [ -f "$folder/ready" ] && [ "$(cat "$folder/ready")" = "$(stamp)" ] && [ -f "$folder/node_modules/axe-core/axe.min.js" ]; then
	say "axe is ready"
	exit
fi
say "installing axe"
rm -rf "${folder:?}"
mkdir -p "$folder"
cp "$here/axe/package.json" "$here/axe/package-lock.json" "$here/axe/.npmrc" "$folder/"
(cd "$folder" && npm ci --silent --ignore-scripts)
stamp >"$folder/ready"
say "axe is ready"
