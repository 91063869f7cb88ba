#!/usr/bin/env bash
# Everything that has to hold, from a fresh machine to green: installs what the
# tests talk to, checks format and code, builds for every system, runs all
# tests. Stops at the first stage that fails. On Debian it needs root only for
# what is not installed yet.
#
# No test is skipped: a server that cannot be installed fails the run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

stage() { printf '\n== %s\n' "$*"; }

fail() {
	printf 'test.sh: %s\n' "$*" >&2
	exit 1
}

# need COMMAND PACKAGE… installs the packages if the command is missing.
need() {
	local command=$1
	shift
	command -v "$command" >/dev/null && return
	local root=()
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null || fail "$command is missing: as root, apt-get install $*"
		root=(sudo)
	fi
	command -v apt-get >/dev/null || fail "$command is missing; install it, then run this again"
	[ -n "${apt_updated:-}" ] || "${root[@]}" apt-get -qq update
	apt_updated=yes
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null
}

command -v go >/dev/null || fail "Go is missing: https://go.dev/doc/install"

stage "programs that the tests use"
need update-ca-certificates ca-certificates
need curl curl # the pages of the documents call the API with it
need sqlite3 sqlite3
need /usr/bin/python3 python3 # a bot under holdfast run
need python3 python3
need zstd zstd
need age age
need node nodejs
need npm npm
need gcc gcc libc6-dev # for the race detector only; holdfast is built without

stage "real servers"
./test/servers/install.sh
./test/servers/s3.sh
./test/servers/node.sh
./test/servers/promtool.sh

# The files that git keeps or would keep: caches of the tests hold foreign code.
go_files() { git ls-files -z --cached --others --exclude-standard -- '*.go'; }

stage "format"
unformatted=$(go_files | xargs -0 go tool -modfile=tools/go.mod gofumpt -l)
[ -z "$unformatted" ] || fail "not formatted, run go tool -modfile=tools/go.mod gofumpt -w on:"$'\n'"$unformatted"

stage "no test is skipped"
! go_files | xargs -0 grep -nE '\bt\.Skip(f|Now)?\(|testing\.Short\(' || fail "tests must not be skipped"

export CGO_ENABLED=0

for system in linux darwin windows; do
	stage "build and vet for $system"
	GOOS=$system go build ./...
	GOOS=$system go vet ./...
done

stage "staticcheck"
go tool -modfile=tools/go.mod staticcheck ./...

# Every test runs once, with the race detector where that is affordable. What it
# would slow down without finding anything runs without it: packages that spend
# their time in SQLite, which is C translated to Go here, or only drive other
# processes; the scripts of the command line, which do; and the tests that repeat
# one single-threaded run for every point at which it can be cut or damaged.
# The packages that take longest come last by name, so they are begun first.
packages=$(go list ./... | sort -r)
plain_packages='/(source/sqlite|source/chroma|internal/chromatest|internal/demo|internal/archtest|bench|test)(/|$)'
plain_tests='Every(Crash|Cut|Flipped|Failure|ChangedByte|DamagedByte)|CutAnywhere|TestScripts'

stage "tests with the race detector"
grep -Ev "$plain_packages" <<<"$packages" | CGO_ENABLED=1 xargs go test -race -timeout 15m -skip "$plain_tests"

stage "what is left of these packages"
grep -Ev "$plain_packages" <<<"$packages" | xargs go test -timeout 15m -run "$plain_tests" | grep -v 'no tests to run'

stage "the other packages"
grep -E "$plain_packages" <<<"$packages" | xargs go test -timeout 20m
