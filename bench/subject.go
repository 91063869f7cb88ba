//go:build linux

package main

import (
	"fmt"
	"strconv"
)

// A subject is a piece of data that is backed up, changed, backed up again and
// restored. It lies in the folder live/<key> of the workshop, which scripts know
// as $S.
type subject struct {
	key, title string
	database   string   // the SQLite file in the folder
	source     string   // how holdfast is told about it
	make       []string // the child that makes it; its path comes before the rest
	change     []string // the child that changes it; its path and the round come around the rest
	changed    string   // the change in words
	stage      string   // a script that makes ./stage a consistent copy
	pack       string   // a script that makes the file $N.zst of a consistent copy
	unpack     string   // the way back, into ./restored
	state      string   // a query that tells one state from another
}

// subjects are what can be measured, with the sizes asked for.
func subjects(o options) []subject {
	database := func(key, title string, size int64, rows int) subject {
		return subject{
			key: key, title: title, database: "data.db",
			source:  `--sqlite data="$S/data.db"`,
			make:    []string{"database", strconv.FormatInt(size, 10)},
			change:  []string{"change-database", strconv.Itoa(rows)},
			changed: fmt.Sprintf("%d rows updated at random, %d inserted", rows, rows),
			stage:   `rm -rf stage; mkdir stage; sqlite3 "$S/data.db" ".backup stage/data.db"`,
			pack:    `sqlite3 "$S/data.db" ".backup copy"; zstd -q -3 -T0 --rm copy -o repo/$N.zst; sync repo/$N.zst repo`,
			unpack:  `mkdir restored; zstd -q -d repo/$N.zst -o restored/data.db; sync restored/data.db restored`,
			state:   "SELECT count(*), sum(at), max(token) FROM messages",
		}
	}
	const stageChroma = `rm -rf stage; mkdir stage; sqlite3 "$S/chroma.sqlite3" ".backup stage/chroma.sqlite3"; cp -a "$S"/*/ stage/`
	return []subject{
		database("database", sizeName(o.size)+" database", o.size, largeChange),
		{
			key: "chroma", title: sizeName(o.chroma) + " Chroma directory", database: "chroma.sqlite3",
			source:  `--chroma "$S"`,
			make:    []string{"chroma", strconv.FormatInt(o.chroma, 10)},
			change:  []string{"change-chroma"},
			changed: fmt.Sprintf("%d records uploaded through the server", chromaUpload),
			stage:   stageChroma,
			pack:    stageChroma + `; tar -C stage -cf - . | zstd -q -3 -T0 -o repo/$N.zst; rm -rf stage; sync repo/$N.zst repo`,
			unpack:  `mkdir restored; zstd -q -d -c repo/$N.zst | tar -C restored -xf -; find restored -exec sync {} +`,
			state:   "SELECT (SELECT count(*) FROM embeddings), (SELECT max(seq_id) FROM embeddings_queue), (SELECT count(*) FROM embedding_metadata)",
		},
		database("bot", sizeName(botSize)+" bot database", botSize, smallChange),
	}
}

// botSize is the size of a small bot's database.
const botSize = 11 << 20
