#!/usr/bin/env bash
# Builds what is published: one archive for each system and processor, with the
# licence and the shell completions, and SHA256SUMS over all. The same commit gives
# the same bytes, wherever it is built with the same Go.
#
#   ./release.sh v0.5.0                    all of them, into dist/
#   ./release.sh v0.5.0 linux/amd64 …      only these
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fail() {
	printf 'release.sh: %s\n' "$*" >&2
	exit 1
}

version=${1:-}
[[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] || fail "name a version: ./release.sh v1.2.3"
shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64)

out=${DIST:-dist}
mkdir -p "$out"
[ -z "$(ls -A "$out")" ] || fail "$out is not empty: move away what is there"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Times in the archives are those of the commit.
epoch=$(git log -1 --format=%ct)
export CGO_ENABLED=0 GOFLAGS=-trimpath

pack() { # NAME FOLDER SUFFIX
	(cd "$work" && find "$2" -exec touch -d "@$epoch" {} +)
	if [ "$3" = zip ]; then
		(cd "$work" && find "$2" -type f | LC_ALL=C sort | python3 -c '
import os, sys, time, zipfile
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as z:
    for name in sys.stdin.read().splitlines():
        info = zipfile.ZipInfo(name, time.gmtime(int(sys.argv[2]))[:6])
        info.external_attr = (os.stat(name).st_mode & 0xFFFF) << 16
        info.compress_type = zipfile.ZIP_DEFLATED
        with open(name, "rb") as f:
            z.writestr(info, f.read())
' "$out/$1.zip" "$epoch")
	else
		tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$epoch" -cf - "$2" | gzip -n9 >"$out/$1.tar.gz"
	fi
}

# Completions are the same for all systems; the program for this machine prints
# them.
go build -o "$work/native" ./cmd/holdfast
mkdir "$work/completions"
for shell in bash zsh fish; do
	"$work/native" completion "$shell" >"$work/completions/holdfast.$shell"
done

for target in "${targets[@]}"; do
	os=${target%/*} arch=${target#*/}
	name=holdfast_${version#v}_${os}_${arch}
	suffix=tar.gz program=holdfast
	[ "$os" != windows ] || suffix=zip program=holdfast.exe
	printf '== %s\n' "$name"
	mkdir "$work/$name"
	GOOS=$os GOARCH=$arch go build -buildvcs=false -ldflags "-s -w -buildid= -X main.version=${version#v}" -o "$work/$name/$program" ./cmd/holdfast
	cp LICENSE README.md CHANGELOG.md "$work/$name/"
	cp -r "$work/completions" "$work/$name/"
	chmod -R u=rwX,go=rX "$work/$name"
	pack "$name" "$name" "$suffix"
done

(cd "$out" && sha256sum -- holdfast_* >SHA256SUMS)
printf 'in %s:\n' "$out"
cat "$out/SHA256SUMS"
