//go:build linux

package main

import (
	"fmt"
	"time"

	"filippo.io/age"
)

// A view is what is looked into: a database or a directory of a Chroma server, and what is
// asked of its backups.
type view struct {
	key, title string
	kind       string   // of the source
	database   string   // the file that a peer keeps and asks
	make       []string // the child that makes it; its path comes second
	change     []string // the child that changes it; its path comes second and the round last
	glances    []glance
}

// A glance is one question to a backup.
type glance struct {
	what string
	args string // of holdfast
	says string // what a right answer has in it
	// peer asks the same of the database that was unpacked whole, $DB; nothing: nobody else
	// answers it, or in no other time than what comes before it.
	peer    string
	both    bool // the peer needs the first state as $OLD, too
	streams bool // the first answer counts by itself
}

// views are what is measured.
func views(o options) []view {
	var all []view
	if o.data.has("database") {
		all = append(all, messagesView(o.size))
	}
	if o.data.has("chroma") {
		all = append(all, passagesView(o.size))
	}
	return all
}

// query is a script that asks $DB.
func query(text string) string { return fmt.Sprintf(`sqlite3 "$DB" %q`, text) }

func messagesView(size int64) view {
	const table = "looks/messages"
	n := messagesOf(size)
	rare := rareAt(n)
	page := func(after int64) string {
		return fmt.Sprintf("browse latest %s --limit 50 --after rows:%d", table, after)
	}
	const differing = `sqlite3 "$DB" "ATTACH '$OLD' AS o" "SELECT 'messages', count(*) FROM messages n LEFT JOIN o.messages m USING (id) WHERE (n.chat, n.user_id, n.at, n.body) IS NOT (m.chat, m.user_id, m.at, m.body)" ` +
		`"SELECT count(*) FROM o.messages m LEFT JOIN messages n USING (id) WHERE n.id IS NULL" "SELECT count(*) FROM users n LEFT JOIN o.users m USING (id) WHERE (n.name, n.language, n.joined, n.balance) IS NOT (m.name, m.language, m.joined, m.balance)"`
	return view{
		key: "messages", title: fmt.Sprintf("%s database of a bot: %d messages, %d users", sizeName(size), n, people),
		kind: "sqlite", database: "bot.db", make: []string{"messages", fmt.Sprint(size)}, change: []string{"change-messages", "200"},
		glances: []glance{
			{what: "the tables", args: "browse latest", says: "messages", peer: query(".tables")},
			{what: "the first page", args: "browse latest " + table + " --limit 50", says: "50"},
			{what: "a page in the middle", args: page(n / 2), says: rareText, peer: query(fmt.Sprintf("SELECT * FROM messages WHERE id > %d LIMIT 50", n/2))},
			{what: "the last page", args: page(n + 3*200 - 40), says: fmt.Sprint(n + 3*200)},
			{what: "a row by its key", args: fmt.Sprintf("browse latest %s --key %d", table, rare), says: rareText},
			{
				what: "a text that one row has", args: "search latest " + rareText, says: fmt.Sprint(rare), streams: true,
				peer: query(fmt.Sprintf("SELECT id FROM messages WHERE body LIKE '%%%[1]s%%' UNION ALL SELECT id FROM users WHERE name LIKE '%%%[1]s%%'", rareText)),
			},
			{what: "a text that many rows have, 20 of them", args: "search latest " + frequentText + " --limit 20", says: frequentText, streams: true},
			{what: "the first and the latest, compared", args: "diff first latest", says: "messages", peer: differing, both: true},
			{what: "the latest and now, compared", args: "diff latest live", says: "messages"},
		},
	}
}

func passagesView(size int64) view {
	const collection = "looks/" + chromaName
	n := recordsOf(size)
	rare := fmt.Sprintf("doc-%09d", rareAt(n))
	page := func(after int) string {
		return fmt.Sprintf("browse latest %s --limit 50 --after %d.0", collection, after)
	}
	const document = `FROM embeddings e JOIN embedding_metadata m ON m.id = e.id AND m.key = 'chroma:document'`
	return view{
		key: "passages", title: fmt.Sprintf("%s Chroma directory: %d records of %d numbers", sizeName(size), n, chromaDimension),
		kind: "chroma", database: "chroma.sqlite3", make: []string{"passages", fmt.Sprint(size)}, change: []string{"change-passages"},
		glances: []glance{
			{what: "the collections", args: "browse latest", says: chromaName, peer: query("SELECT name FROM collections")},
			{what: "the first page", args: "browse latest " + collection + " --limit 50", says: "doc-000000049"},
			{what: "the first page, with embeddings", args: "browse latest " + collection + " --limit 50 --vectors", says: "doc-000000049"},
			{what: "a page in the middle", args: page(n / 2), says: rare, peer: query(fmt.Sprintf("SELECT e.embedding_id, m.string_value %s WHERE e.id > %d ORDER BY e.id LIMIT 50", document, n/2))},
			{what: "the last page", args: page(n + lookDeltas*chromaUpload - 40), says: fmt.Sprintf("doc-%09d", lookDeltas<<24+chromaUpload-1)},
			{what: "a record by its id", args: fmt.Sprintf("browse latest %s --key %s", collection, rare), says: rareText},
			{
				what: "a text that one record has", args: "search latest " + rareText, says: rare, streams: true,
				peer: query("SELECT e.embedding_id " + document + " WHERE m.string_value LIKE '%" + rareText + "%'"),
			},
			{what: "a text that many records have, 20 of them", args: "search latest " + frequentText + " --limit 20", says: frequentText, streams: true},
			{what: "the first and the latest, compared", args: "diff first latest", says: chromaName},
			{what: "the latest and now, compared", args: "diff latest live", says: chromaName},
		},
	}
}

// A place is where backups lie, and what a peer keeps beside them.
type place struct {
	name, folder      string
	settings          string // of holdfast
	peer, restic      string // who it is, if anybody, and the repository of restic
	pack              string // keeps state $N of $S
	unpack, unpackOld string // the last state as $DB, the first as $OLD
	away              time.Duration
}

// far is how far away a bucket of another town is.
const far = 20 * time.Millisecond

// places are where the backups of a view lie. The last two share them.
func places(v view, key *age.X25519Identity, bucket *counted) []place {
	last := fmt.Sprint(lookDeltas)
	dump := func(n string) string { return "restic dump --quiet --host bench --tag " + n + ` latest "$S"` }
	resticked := place{
		peer:   "restic dump, sqlite3",
		pack:   `restic cat config >config 2>/dev/null || restic init --quiet --repository-version 2; restic backup --quiet --host bench --tag $N "$S"`,
		unpack: dump(last) + ` >"$DB"`, unpackOld: dump("0") + ` >"$OLD"`,
	}
	plain := place{
		name: "a directory", folder: "plain", settings: "repository: repo\n", peer: "zstd -d, sqlite3",
		pack: `zstd -q -3 -T0 "$S" -o $N.zst`, unpack: "zstd -q -d -c " + last + `.zst >"$DB"`, unpackOld: `zstd -q -d -c 0.zst >"$OLD"`,
	}
	sealed, remote := resticked, resticked
	sealed.name, sealed.folder, sealed.restic = "a directory, encrypted", "sealed", "restic"
	sealed.settings = fmt.Sprintf("repository: repo\nencrypt_to: [%s]\nidentity_file: key\n", key.Recipient())
	remote.name, remote.folder, remote.restic = "a bucket", "remote", "s3:"+bucket.plain+"/restic-"+v.key
	remote.settings = fmt.Sprintf("repository: %q\n", bucket.below(v.key))
	away := remote
	away.name, away.away, away.peer = fmt.Sprintf("the same bucket, %s away", far), far, "" // it brings back as much as from nearby
	return []place{plain, sealed, remote, away}
}
