#!/usr/bin/env bash
# Installs the two Chroma servers that the tests talk to: "old" (schema 2/5/9)
# and "new" (schema 2/6/10). Run it again at any time: what is there and has
# been seen to start is left alone.
#
# Needs: linux/amd64. Where node, npm or a C library that is new enough are
# missing they are taken from Debian's packages, which needs root for node and
# npm only; the C library is unpacked into the cache and never installed.
#
# HOLDFAST_TEST_SERVERS names the cache folder (default: .cache/servers in the
# root of the repository).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${HOLDFAST_TEST_SERVERS:-$(cd "$here/../.." && pwd)/.cache/servers}
loader=usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2
serving= # process id of a server that is being tried

say() { printf 'test servers: %s\n' "$*"; }

fail() {
	printf 'test servers: %s\n' "$*" >&2
	exit 1
}

trap '[ -z "$serving" ] || kill -INT "$serving" 2>/dev/null || true' EXIT

# stamp is what must be unchanged for an installed server to be left alone.
stamp() { cat "$here/install.sh" "$here/$1/package.json" "$here/$1/package-lock.json" | sha256sum | cut -d' ' -f1; }

ready() {
	[ -f "$cache/$1/ready" ] && [ "$(cat "$cache/$1/ready")" = "$(stamp "$1")" ] && [ -f "$cache/$1/node_modules/chromadb/dist/cli.mjs" ]
}

need_node() {
	command -v node >/dev/null && command -v npm >/dev/null && return
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail "node and npm are missing; install them, then run this again"
	say "installing node and npm"
	apt-get -qq update
	DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends nodejs npm >/dev/null
}

# mirror prints where this machine gets Debian from, once apt has its lists.
mirror() {
	apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' |
		awk -v release="$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" '$2 == release && !found { print $1; found = 1 }'
}

# need_libc unpacks Debian 13's C library into the cache when the machine's own
# is older than 2.38, which the new server asks for.
need_libc() {
	local have
	have=$(getconf GNU_LIBC_VERSION | cut -d' ' -f2)
	[ "$(printf '2.38\n%s\n' "$have" | sort -V | head -n1)" = 2.38 ] && return
	[ -e "$cache/libc/$loader" ] && return
	command -v apt-get >/dev/null || fail "the C library $have is older than 2.38 and there is no apt-get to fetch a newer one"
	say "the C library here is $have: unpacking a newer one for the new server"
	local uri tmp
	uri=$(mirror)
	[ -n "$uri" ] || { apt-get -qq update && uri=$(mirror); }
	[ -n "$uri" ] || fail "apt knows no Debian mirror of this machine's release"
	tmp=$(mktemp -d "$cache/libc.XXXXXX")
	chmod 755 "$tmp" # apt reads it as a user of its own
	mkdir -p "$tmp/lists/partial" "$tmp/archives/partial" "$tmp/root"
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri trixie main" >"$tmp/sources.list"
	local opts=(-qq -o "Dir::Etc::SourceList=$tmp/sources.list" -o Dir::Etc::SourceParts=/dev/null
		-o "Dir::State::Lists=$tmp/lists" -o "Dir::Cache=$tmp" -o APT::Sandbox::User=root)
	apt-get "${opts[@]}" update
	(cd "$tmp" && apt-get "${opts[@]}" download libc6/trixie libstdc++6/trixie libgcc-s1/trixie)
	for deb in "$tmp"/*.deb; do dpkg -x "$deb" "$tmp/root"; done
	[ -e "$tmp/root/$loader" ] || fail "the unpacked C library has no $loader"
	mv "$tmp/root" "$cache/libc"
	rm -rf "$tmp"
}

# try starts a server on a fresh directory and waits until it answers.
try() {
	local dir port command=(node "$cache/$1/node_modules/chromadb/dist/cli.mjs")
	if [ "$1" = new ] && [ -e "$cache/libc/$loader" ]; then
		command=("$cache/libc/$loader" --library-path "$cache/libc/usr/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu"
			"$(readlink -f "$(command -v node)")" "$cache/$1/node_modules/chromadb/dist/cli.mjs")
	fi
	dir=$(mktemp -d)
	port=$(node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})')
	"${command[@]}" run --path "$dir/data" --host 127.0.0.1 --port "$port" >"$dir/log" 2>&1 9>&- &
	serving=$!
	node -e '
		const url = `http://127.0.0.1:${process.argv[1]}/api/v2/heartbeat`;
		(async () => {
			for (let i = 0; i < 300; i++) {
				try { if ((await fetch(url)).ok) process.exit(0) } catch {}
				await new Promise(r => setTimeout(r, 100));
			}
			process.exit(1);
		})()' "$port" || { cat "$dir/log" >&2; fail "the $1 server does not start"; }
	kill -INT "$serving"
	wait "$serving" || true
	serving=
	rm -rf "$dir"
}

[ "$(uname -sm)" = "Linux x86_64" ] || fail "the servers are installed on linux/amd64 only, this is $(uname -sm)"
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9 # two runs at once would remove each other's work
for name in old new; do
	if ready "$name"; then
		say "$name is ready"
		continue
	fi
	need_node
	[ "$name" = old ] || need_libc
	say "installing $name"
	rm -rf "${cache:?}/$name"
	mkdir -p "$cache/$name"
	cp "$here/$name/package.json" "$here/$name/package-lock.json" "$here/$name/.npmrc" "$cache/$name/"
	(cd "$cache/$name" && npm ci --silent --ignore-scripts)
	try "$name"
	stamp "$name" >"$cache/$name/ready"
	say "$name is ready"
done
