package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast/boot"
)

// command carries out one line:
//
//	write N    N writers write until the next such line
//	rows       "row RUN WRITER COUNT LAST" for each writer, then "checked VERDICT"
//	backup     "saved NAME", or "failed REASON"
//	close      closes the store, as a SIGTERM does
func (b *bot) command(line string) {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "write":
		n := 0
		if _, err := fmt.Sscan(rest, &n); err != nil {
			b.out.say("broken %v", err)
			return
		}
		b.stop()
		b.writing.Wait()
		b.write(n)
		b.out.say("writing %d", n)
	case "rows":
		if err := b.rows(); err != nil {
			b.out.say("broken %v", err)
		}
	case "backup":
		made, err := b.store.Backup(b.store.Context(), boot.BackupOptions{})
		if err != nil {
			b.out.say("failed %v", err)
			return
		}
		b.out.say("saved %s", made.Name)
	case "close":
		go b.store.Close() // its error comes again to the main program
	default:
		b.out.say("broken unknown command %q", line)
	}
}

// rows says what is in the database, and whether it is sound.
func (b *bot) rows() error {
	db := b.store.DB()
	rows, err := db.Query("SELECT run, writer, count(*), max(n) FROM entries GROUP BY run, writer ORDER BY run, writer")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var run, writer, count, last int
		if err := rows.Scan(&run, &writer, &count, &last); err != nil {
			return err
		}
		b.out.say("row %d %d %d %d", run, writer, count, last)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	var verdict string
	if err := db.QueryRow("PRAGMA quick_check").Scan(&verdict); err != nil {
		return err
	}
	b.out.say("checked %s", verdict)
	return nil
}

// write lets n writers write.
func (b *bot) write(n int) {
	ctx, cancel := context.WithCancel(b.store.Context())
	b.stop = cancel
	for range n {
		b.writers++
		writer := b.writers
		b.writing.Go(func() { b.writeRows(ctx, writer) })
	}
}

// A row is written every so often, and again so soon after it was refused.
const (
	writePause = 3 * time.Millisecond
	retryPause = 50 * time.Millisecond
)

// writeRows writes one row after the other until ctx ends, and says which are
// committed. A row that was refused is written again: it may be there all the
// same.
func (b *bot) writeRows(ctx context.Context, writer int) {
	text := strings.Repeat("all work and no play ", 10)
	for n := 1; ctx.Err() == nil; {
		_, err := b.store.DB().Exec("INSERT INTO entries(run, writer, n, text) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", b.run, writer, n, text)
		if err != nil {
			b.out.say("refused %d %d %d %v", b.run, writer, n, err)
			time.Sleep(retryPause)
			continue
		}
		b.out.say("ack %d %d %d %d", b.run, writer, n, time.Now().UnixNano())
		n++
		time.Sleep(writePause)
	}
}
