package chroma

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
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
