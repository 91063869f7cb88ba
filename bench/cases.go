//go:build linux

package main

// cases are what is compared. In the scripts $H is holdfast, $D the directory
// with the data; the working directory is empty. What has to exist before is
// made by prepare. Every script ends with its result safe on the disk:
// holdfast sees to that itself, the others are given a sync of their files.
func (w *workshop) cases() []contest {
	const (
		backup  = `"$H" backup --quiet --repo repo --name b `
		restore = `"$H" restore b --quiet --to restored `
		raw     = `BACKUP_COMPRESSION=false `
	)
	return []contest{
		{
			"1 GiB database, backup, compressed",
			command{"holdfast backup", backup + `--sqlite "$D/large.db"`},
			command{"sqlite3 .backup, zstd -3 -T0, sync", `sqlite3 "$D/large.db" ".backup copy"; zstd -q -3 -T0 --rm copy -o copy.zst; sync copy.zst .`},
		},
		{
			"1 GiB database, backup, as it is",
			command{"holdfast backup, compression off", raw + backup + `--sqlite "$D/large.db"`},
			command{"cp, sync", `cp "$D/large.db" copy; sync copy .`},
		},
		{
			"1 GiB database, backup, as it is, beside SQLite's own",
			command{"holdfast backup, compression off", raw + backup + `--sqlite "$D/large.db"`},
			command{"sqlite3 .backup, sync", `sqlite3 "$D/large.db" ".backup copy"; sync copy .`},
		},
		{
			"1 GiB database, restore",
			command{"holdfast restore --to", restore + `--repo "$D/repo-large"`},
			command{"zstd -d, sync", `zstd -q -d "$D/large.zst" -o copy; sync copy .`},
		},
		{
			"1 GiB database, verify",
			command{"holdfast verify", `"$H" verify b --quiet --repo "$D/repo-large"`},
			command{"zstd -d, sqlite3 quick_check", `zstd -q -d "$D/large.zst" -o copy; sqlite3 copy "PRAGMA quick_check"`},
		},
		{
			"Chroma directory, backup",
			command{"holdfast backup", backup + `--chroma "$D/chroma"`},
			command{"tar, zstd -3 -T0, sync", `tar -C "$D" -cf - chroma | zstd -q -3 -T0 -o copy.tar.zst; sync copy.tar.zst .`},
		},
		{
			"Chroma directory, restore",
			command{"holdfast restore --to", restore + `--repo "$D/repo-chroma"`},
			command{"zstd -d, tar -x, sync", `zstd -q -d -c "$D/chroma.tar.zst" | tar -xf -; find . -exec sync {} +`},
		},
		{
			"Chroma directory, verify",
			command{"holdfast verify", `"$H" verify b --quiet --repo "$D/repo-chroma"`},
			command{},
		},
		{
			"10 MB database, backup",
			command{"holdfast backup", backup + `--sqlite "$D/small.db"`},
			command{"sqlite3 .backup, zstd -3 -T0, sync", `sqlite3 "$D/small.db" ".backup copy"; zstd -q -3 -T0 --rm copy -o copy.zst; sync copy.zst .`},
		},
		{
			"10 MB database, restore",
			command{"holdfast restore --to", restore + `--repo "$D/repo-small"`},
			command{"zstd -d, sync", `zstd -q -d "$D/small.zst" -o copy; sync copy .`},
		},
	}
}
