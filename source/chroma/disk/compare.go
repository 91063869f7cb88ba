package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/disk/internal/hnsw"
	"github.com/holdfast-backup/holdfast/source/chroma/disk/internal/idset"
	"github.com/holdfast-backup/holdfast/source/chroma/disk/internal/pickle"
)

// ids are the ids that have a vector, as a fingerprint: those of the index
// that the log does not touch, and those that the log leaves with a vector.
type ids struct {
	set      idset.Buckets
	replayed map[idset.Hash]int64
}

// indexIDs verifies the index folder and replays the log on its ids.
func (d *Dir) indexIDs(ctx context.Context, c Collection, folder fs.FS) (*ids, FolderState, error) {
	after, err := d.indexPosition(c)
	if isDamagedIndex(err) {
		return nil, FolderState{Status: FolderDamaged, Reason: err.Error()}, nil
	}
	if err != nil {
		return nil, FolderState{}, err
	}
	// Which ids are members at the end does not depend on who was one
	// before, except for an update, which changes nothing then: so the log
	// can be replayed before the index is read.
	set := &ids{}
	set.replayed, err = d.replayVectors(ctx, c, after, func(idset.Hash) bool { return false })
	if err != nil {
		return nil, FolderState{}, err
	}
	state, err := checkFolder(folder, func(id string) error {
		if h := idset.Of(id); !set.touched(h) {
			set.set.Add(h)
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, state, err
	}
	for h, seq := range set.replayed {
		if seq != gone {
			set.set.Add(h)
		}
	}
	return set, state, nil
}

func isDamagedIndex(err error) bool { return errors.Is(err, hnsw.ErrDamaged) }

func (s *ids) touched(h idset.Hash) bool {
	_, ok := s.replayed[h]
	return ok
}

// eachID goes through the ids of a collection's records, the late log applied,
// in no particular order.
func (d *Dir) eachID(ctx context.Context, c Collection, late *late, yield func(id string)) error {
	rows, err := d.db.QueryContext(ctx, `SELECT embedding_id FROM embeddings WHERE segment_id = ?`, c.MetadataSegment)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		if late.changed[id] == nil {
			yield(id)
		}
	}
	for id, ch := range late.changed {
		if !ch.deleted {
			yield(id)
		}
	}
	return rows.Err()
}

// compareIDs compares the ids that have a vector with those that have a
// record, and names examples of both differences.
func (d *Dir) compareIDs(ctx context.Context, c Collection, index *ids, state FolderState) ([]holdfast.Problem, error) {
	late, err := d.readLate(ctx, c)
	if err != nil {
		return nil, err
	}
	var records idset.Buckets
	err = d.eachID(ctx, c, late, func(id string) { records.Add(idset.Of(id)) })
	if err != nil || index.set.Equal(&records) {
		return nil, err
	}
	if state.Status == FolderEmpty && index.set.N == 0 {
		return []holdfast.Problem{c.problem(fmt.Sprintf(
			"index folder %s holds no index and the log no vectors: the embeddings of all records are lost, %d in number (documents and metadata are there)",
			c.Segment, records.N), hintRebuild)}, nil
	}
	lost, ghosts, err := d.examples(ctx, c, index, &records, late)
	if err != nil {
		return nil, err
	}
	var problems []holdfast.Problem
	if lost.some() {
		problems = append(problems, c.problem(fmt.Sprintf(
			"index folder %s and the log have no embedding for %s: reading embeddings fails for every page with such a record",
			c.Segment, lost), hintRebuild))
	}
	if ghosts.some() {
		problems = append(problems, c.problem(fmt.Sprintf(
			"index folder %s has embeddings of records that do not exist, %s: queries return them, and adding one of these ids again keeps the old embedding",
			c.Segment, ghosts), "restore the memory of this collection from a backup, which rebuilds its index"))
	}
	if problems == nil { // the same ids, but not once each
		problems = append(problems, c.problem(fmt.Sprintf(
			"index folder %s has %d embeddings for %d records: an id is there more than once", c.Segment, index.set.N, records.N), hintRebuild))
	}
	return problems, nil
}

// examples searches, in a second pass, for members of only one of two sets
// that are known to differ. The parts of the fingerprints that agree are left
// out, so that little is kept in memory.
func (d *Dir) examples(ctx context.Context, c Collection, index *ids, records *idset.Buckets, late *late) (lost, ghosts sample, err error) {
	suspect := idset.Between(&index.set, records)
	inIndex := map[idset.Hash]string{}
	if folder, ok := d.folder(c); ok && c.Indexed {
		_, err = hnsw.ReadPickle(folder, pickle.Visitor{ID: func(id string, _ uint64) error {
			if h := idset.Of(id); suspect.Suspect(h) && !index.touched(h) && len(inIndex) < maxSuspects {
				inIndex[h] = id
			}
			return nil
		}})
		if err != nil {
			return lost, ghosts, err
		}
	}
	err = d.eachEntry(ctx, c, 0, func(e entry) {
		if h := idset.Of(e.id); suspect.Suspect(h) && len(inIndex) < maxSuspects {
			if seq, ok := index.replayed[h]; ok && seq != gone {
				inIndex[h] = e.id
			}
		}
	})
	if err != nil {
		return lost, ghosts, err
	}
	complete := len(inIndex) < maxSuspects
	lost.atLeast, ghosts.atLeast = !complete, !complete
	err = d.eachID(ctx, c, late, func(id string) {
		h := idset.Of(id)
		if !suspect.Suspect(h) {
			return
		}
		if _, ok := inIndex[h]; ok {
			delete(inIndex, h)
		} else if complete {
			lost.add(id)
		}
	})
	if complete {
		for _, id := range inIndex {
			ghosts.add(id)
		}
	} else if records.N > index.set.N {
		lost.n = records.N - index.set.N
	} else {
		ghosts.n = max(index.set.N-records.N, 1)
	}
	return lost, ghosts, err
}

// maxSuspects bounds what a search for examples keeps in memory.
const maxSuspects = 100_000

// A sample counts ids and names a few of them.
type sample struct {
	n       int64
	atLeast bool
	names   []string
}

func (s *sample) add(id string) {
	s.n++
	if len(s.names) < 3 {
		s.names = append(s.names, fmt.Sprintf("%.60q", id))
	}
}

func (s *sample) some() bool { return s.n > 0 }

func (s sample) String() string {
	text := fmt.Sprintf("%d records", s.n)
	if s.n == 1 {
		text = "1 record"
	}
	if s.atLeast {
		text = "at least " + text
	}
	if s.names == nil {
		return text
	}
	return text + " (" + strings.Join(s.names, ", ") + map[bool]string{true: ", …"}[s.n > int64(len(s.names))] + ")"
}
