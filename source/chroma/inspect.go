package chroma

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

// A glance may make a writer wait no longer than countBudget, and itself waits
// no longer than glanceWait for a lock.
const (
	countBudget = 250 * time.Millisecond
	glanceWait  = 2 * time.Second
)

// Inspect implements holdfast.Source.
func (s *Source) Inspect(ctx context.Context, opts holdfast.InspectOptions) (_ holdfast.Inspection, err error) {
	live, dir, err := s.open(ctx, sqlite.LiveOptions{Wait: glanceWait})
	if errors.Is(err, holdfast.ErrNotFound) {
		// Nothing there, or nothing of Chroma's yet: a restore may fill it.
		return holdfast.Inspection{}, nil
	}
	if err != nil {
		return holdfast.Inspection{}, err
	}
	defer closing(live, &err)
	out := holdfast.Inspection{Exists: true}
	c := &capture{Source: s, dir: dir, live: live, folders: map[string]*folder{}}
	err = c.look(ctx)
	locked := errors.Is(err, holdfast.ErrLocked)
	if locked {
		// A capture waits longer, and then tells who holds the lock.
		var all []segment
		if all, err = everyFolder(dir); err == nil {
			c.take(all)
		}
	}
	if err != nil {
		return holdfast.Inspection{}, err
	}
	if out.Bytes, err = c.bytes(); err != nil {
		return holdfast.Inspection{}, err
	}
	if !c.lost && !locked {
		out.Facts.Chroma, err = c.glance(ctx, opts.Counts)
	}
	if isCorrupt(err) || errors.Is(err, holdfast.ErrLocked) {
		err = nil // it is there and can be captured; what it holds nobody can tell
	}
	return out, err
}

// bytes is the size of what a capture would read.
func (c *capture) bytes() (int64, error) {
	info, err := os.Stat(filepath.Join(c.dir, databaseFile))
	if err != nil {
		return 0, err
	}
	total := info.Size()
	for _, f := range c.named() {
		fp, err := takeFingerprint(f.dir)
		if err != nil {
			return 0, err
		}
		total += fp.bytes()
	}
	return total, nil
}

// glance names the collections and counts, one transaction for each collection so that a writer never
// waits for all of them. What cannot be counted in time is not told at all:
// nil is better than a wrong number.
func (c *capture) glance(ctx context.Context, counts bool) (*holdfast.ChromaFacts, error) {
	facts := &holdfast.ChromaFacts{QuickCheck: holdfast.CheckUnchecked}
	err := c.within(c.live.Begin(ctx), func() (err error) {
		facts.JournalMode = c.live.Mode()
		if facts.Schema, err = c.readSchema(ctx); err != nil {
			return err
		}
		facts.Collections, err = c.readCollections(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	for i := range facts.Collections {
		col := &facts.Collections[i]
		col.Memory = c.isMemory(*col)
		if f := c.folders[col.Segment]; f != nil {
			fp, err := takeFingerprint(f.dir)
			if err != nil {
				return nil, err
			}
			col.Indexed = fp.indexed()
		}
		if !counts {
			continue
		}
		if col.Records, err = c.count(ctx, col.ID); err != nil {
			if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
				return nil, nil
			}
			return nil, err
		}
		facts.Records += col.Records
	}
	return facts, nil
}

// count counts the records of a collection by an index.
func (c *capture) count(ctx context.Context, id string) (n int64, err error) {
	err = c.within(c.live.Begin(ctx), func() error {
		ctx, cancel := context.WithTimeout(ctx, countBudget)
		defer cancel()
		err := c.live.Conn().QueryRowContext(ctx, `
			SELECT count(*) FROM segments s JOIN embeddings e ON e.segment_id = s.id
			WHERE s.collection = ? AND s.scope = 'METADATA'`, id).Scan(&n)
		if err != nil && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	})
	return n, err
}

// readSchema reads the version of each of Chroma's three schemas.
func (c *capture) readSchema(ctx context.Context) (v holdfast.ChromaSchema, err error) {
	rows, err := c.live.Conn().QueryContext(ctx, "SELECT dir, max(version) FROM migrations GROUP BY dir")
	if err != nil {
		return v, err
	}
	defer closing(rows, &err)
	for rows.Next() {
		var dir string
		var version int
		if err := rows.Scan(&dir, &version); err != nil {
			return v, err
		}
		switch dir {
		case "embeddings_queue":
			v.EmbeddingsQueue = version
		case "metadb":
			v.MetaDB = version
		case "sysdb":
			v.SysDB = version
		}
	}
	return v, rows.Err()
}

// readCollections lists the collections without their records.
func (c *capture) readCollections(ctx context.Context) (all []holdfast.ChromaCollection, err error) {
	rows, err := c.live.Conn().QueryContext(ctx, `
		SELECT c.id, c.name, coalesce(c.dimension, 0), coalesce(s.id, '')
		FROM collections c LEFT JOIN segments s ON s.collection = c.id AND s.scope = 'VECTOR'
		ORDER BY c.name, c.id`)
	if err != nil {
		return nil, err
	}
	defer closing(rows, &err)
	for rows.Next() {
		var col holdfast.ChromaCollection
		if err := rows.Scan(&col.ID, &col.Name, &col.Dimension, &col.Segment); err != nil {
			return nil, err
		}
		all = append(all, col)
	}
	return all, rows.Err()
}
