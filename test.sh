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
need pdftotext poppler-utils # examples/ragpdf reads PDFs with it
need node nodejs
need npm npm
need chromium chromium # the pages are looked at in it
[ -e /usr/share/fonts/truetype/noto/NotoColorEmoji.ttf ] ||
	need NotoColorEmoji fonts-noto-color-emoji # the signs on the buttons of the chats
need gcc gcc libc6-dev # for the race detector only; holdfast is built without

stage "real servers"
./test/servers/install.sh
./test/servers/s3.sh
./test/servers/node.sh
./test/servers/promtool.sh
./test/browser/install.sh

# The files that git keeps or would keep: caches of the tests hold foreign code.
go_files() { git ls-files -z --cached --others --exclude-standard -- '*.go'; }

stage "format"
unformatted=$(go_files | grep -zv '_templ\.go$' | xargs -0 go tool -modfile=tools/go.mod gofumpt -l)
[ -z "$unformatted" ] || fail "not formatted, run go tool -modfile=tools/go.mod gofumpt -w on:"$'\n'"$unformatted"

stage "the pages are generated from what they are written in"
templ_sums() { find internal/web -name '*_templ.go' -print0 | sort -z | xargs -0 sha256sum; }
generated_before=$(templ_sums)
go generate ./internal/web
[ "$generated_before" = "$(templ_sums)" ] || fail "the Go of the pages was not that of their templates; it has been written anew, commit it"

stage "no test is skipped"
! go_files | xargs -0 grep -nE '\bt\.Skip(f|Now)?\(|testing\.Short\(' || fail "tests must not be skipped"

export CGO_ENABLED=0

# vet type-checks every package; building everything would link each program that only
# tests need, three times.
for system in linux darwin windows; do
	stage "build and vet for $system"
	GOOS=$system go vet ./...
	GOOS=$system go build -o /dev/null ./cmd/holdfast
done

stage "staticcheck"
go tool -modfile=tools/go.mod staticcheck ./...

# Every test runs once, with the race detector where that is affordable. What it
# would slow down without finding anything runs without it: packages that spend
# their time in SQLite, which is C translated to Go here, draw pages or read blocks one
# after the other, or only drive other processes; the scripts of the command line, which do; and the tests that repeat
# one single-threaded run for every point at which it can be cut or damaged.
# The packages that take longest come last by name, so they are begun first. All of
# vet has been run above, tests included: go test need not run a part of it again.
packages=$(go list ./... | sort -r)
plain_packages='/(source/sqlite|source/chroma|internal/chromatest|internal/demo|internal/archtest|internal/locale|internal/web/(activity|assets|backups|compare|contents|details|entry|gallery|jobs|overview|restore|settings|ui)|docs/rescue|bench|test)(/|$)|/holdfast/repo$'
plain_tests='Every(Crash|Cut|Flipped|Failure|ChangedByte|DamagedByte)|CutAnywhere|TestScripts'

stage "tests with the race detector"
grep -Ev "$plain_packages" <<<"$packages" | CGO_ENABLED=1 xargs go test -vet=off -race -timeout 15m -skip "$plain_tests"

# Only the packages that have such tests are built once more.
stage "what is left of these packages"
go_files | xargs -0 grep -lE "func \w*($plain_tests)" | xargs -n1 dirname | sort -u | sed 's,^,./,' | xargs go list |
	grep -Ev "$plain_packages" | xargs go test -vet=off -timeout 15m -run "$plain_tests"

# They wait for servers and other processes half of their time: more of them at once.
stage "the other packages"
grep -E "$plain_packages" <<<"$packages" | xargs go test -vet=off -timeout 20m -p 3 -parallel 4
