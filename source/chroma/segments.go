package chroma

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/holdfast-backup/holdfast"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// A segment is the vector index of one collection and the name of its folder.
type segment struct {
	id         string
	collection string // its name, or its id if the name is lost
}

// object names the segment in a problem, as package disk does.
func (g segment) object() string { return "collection " + g.collection }

// isFolderName tells whether the id can be a folder of the directory, which a
// damaged or hostile database may not grant.
func (g segment) isFolderName() bool {
	return g.id != "." && filepath.IsLocal(g.id) && !strings.ContainsAny(g.id, `/\:`)
}

// readSegments lists the vector segments, inside a transaction. Folders that
// no segment names are what deleted collections left behind.
func readSegments(ctx context.Context, conn *sql.Conn) ([]segment, error) {
	rows, err := conn.QueryContext(ctx, `
		SELECT s.id, coalesce(c.name, s.collection, '?')
		FROM segments s LEFT JOIN collections c ON c.id = s.collection
		WHERE s.scope = 'VECTOR' ORDER BY s.id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []segment
	for rows.Next() {
		var g segment
		if err := rows.Scan(&g.id, &g.collection); err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, rows.Err()
}

// isCorrupt tells that SQLite met pages that contradict each other.
func isCorrupt(err error) bool {
	e, ok := errors.AsType[*driver.Error](err)
	return ok && e.Code()&0xff == sqlite3.SQLITE_CORRUPT
}

// everyFolder lists all folders that can be an index, for a database that no
// longer tells which of them count.
func everyFolder(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []segment
	for _, e := range entries {
		if e.IsDir() && isUUID(e.Name()) {
			all = append(all, segment{id: e.Name(), collection: "of folder " + e.Name()})
		}
	}
	return all, nil
}

var _ holdfast.Leaver = (*Source)(nil)

// LeftBehind implements holdfast.Leaver: the folders that the capture counted because no
// segment names them. If there are more by now, nobody can tell which one is new, and
// none is picked.
func (*Source) LeftBehind(out []fs.DirEntry, facts holdfast.Facts) (names []string) {
	for _, e := range out {
		if e.IsDir() && isUUID(e.Name()) {
			names = append(names, e.Name())
		}
	}
	if facts.Chroma == nil || len(names) > facts.Chroma.OrphanFolders {
		return nil
	}
	return names
}

// isUUID tells whether a folder's name is of the form that Chroma gives to
// index folders.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, r := range s {
		switch i {
		case 8, 13, 18, 23:
			if r != '-' {
				return false
			}
		default:
			if !strings.ContainsRune("0123456789abcdefABCDEF", r) {
				return false
			}
		}
	}
	return true
}
