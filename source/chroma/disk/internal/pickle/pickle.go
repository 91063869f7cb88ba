// Package pickle reads Chroma's index_metadata.pickle as a stream: the maps
// between record ids and index labels, and the counters beside them.
//
// Start from [Read]. It is a reader of this one file, not of pickles: it knows
// the opcodes that Chroma's writers use (the Rust server's protocol 3 dict,
// the Python object of protocols 2 to 5), builds only strings, numbers and
// nested dicts, and refuses every class except Chroma's PersistentData. Nothing
// in a pickle is ever called.
//
// A general reader would hold both maps at once, several hundred bytes for
// each record, and would allocate whatever length a torn file claims. This one
// hands each pair to a [Visitor] as it passes by. What it must keep is the
// memo, the table of strings a pickle may refer back to: the Rust server
// writes none, Python writes each id once, so its cost is the ids' own length
// and eight bytes each.
package pickle

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// The only class that a pickle may name.
const (
	className   = "PersistentData"
	classModule = "chromadb.segment.impl.vector.local_persistent_hnsw"
)

// The fields of PersistentData; the Rust server uses them as keys of a dict.
const (
	fieldDimension = "dimensionality"
	fieldTotal     = "total_elements_added"
	fieldMaxSeqID  = "max_seq_id"
	fieldIDs       = "id_to_label"
	fieldLabels    = "label_to_id"
	fieldSeqIDs    = "id_to_seq_id"
)

// ErrMalformed is matched by every error that means the file is not an intact
// index pickle (rather than that it could not be read).
var ErrMalformed = errors.New("malformed index pickle")

// A Visitor is handed the two maps, pair by pair, in the order of the file. A
// nil function skips its map. An error stops the reading and is returned.
type Visitor struct {
	ID    func(id string, label uint64) error // id_to_label
	Label func(label uint64, id string) error // label_to_id
}

// Index is what a pickle says beside its maps.
type Index struct {
	Dimension int    // 0 if the pickle does not say
	Total     uint64 // elements ever added
	// MaxSeqID is the log position of the index as Chroma before 0.5.6 kept
	// it; nil if the position is in the database.
	MaxSeqID *int64
	IDs      int64 // entries of id_to_label
	Labels   int64 // entries of label_to_id
	Python   bool  // written by the Python implementation
}

// Read reads one pickle and hands its maps to v.
func Read(r io.Reader, v Visitor) (Index, error) {
	m := machine{r: bufio.NewReaderSize(r, 64<<10), visit: v}
	if err := m.run(); err != nil {
		return m.index, err
	}
	if !m.seenIDs || !m.seenLabels {
		return m.index, malformed("%s or %s is missing", fieldIDs, fieldLabels)
	}
	return m.index, nil
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}
