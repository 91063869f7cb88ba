package disk

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/disk/internal/hnsw"
)

// FolderStatus tells what an index folder is good for.
type FolderStatus string

// The states of an index folder.
const (
	// FolderEmpty was never persisted: the server does not look at its
	// files and replays its log instead.
	FolderEmpty FolderStatus = "empty"
	// FolderComplete holds an index whose parts agree.
	FolderComplete FolderStatus = "complete"
	// FolderDamaged holds parts that contradict each other: cut in the
	// middle of a write, or caught in one.
	FolderDamaged FolderStatus = "damaged"
)

// FolderState is what CheckFolder found.
type FolderState struct {
	Status FolderStatus
	Reason string // why it is damaged
	Live   int64  // vectors that belong to a record
}

// Problem says what a damaged folder means for the collection whose index it
// is, in the same words during a capture and in a check.
func (s FolderState) Problem(collection, folder string) holdfast.Problem {
	return holdfast.Problem{
		Object: "collection " + collection, Severity: holdfast.Damaged,
		Message: fmt.Sprintf("index folder %s: %s; Chroma answers every call on this collection with an error, or ends, and vectors that are no longer in its log are lost",
			folder, s.Reason),
		Hint: hintRebuild,
	}
}

// IndexFiles lists the files of an index folder in the order in which Chroma
// writes them. The last one makes the folder count.
func IndexFiles() []string { return hnsw.Files() }

// CheckFolder looks at one index folder, the root of fsys: it reads all of it
// and compares the labels of the vectors with both maps of the pickle, the
// maps with each other, and the header with the sizes. The error is for a
// folder that cannot be read. Memory does not grow with the folder, save for
// the ids of an index that the Python implementation wrote.
func CheckFolder(fsys fs.FS) (FolderState, error) {
	return checkFolder(fsys, nil)
}

// checkFolder also hands every id of the index to id.
func checkFolder(fsys fs.FS, id func(string) error) (FolderState, error) {
	persisted, err := hnsw.Persisted(fsys)
	if err != nil {
		return FolderState{}, err
	}
	if !persisted {
		return FolderState{Status: FolderEmpty}, nil
	}
	folder, err := hnsw.Open(fsys)
	if err == nil {
		var v hnsw.Verdict
		v, err = folder.Verify(id)
		err = errors.Join(err, folder.Close())
		if err == nil {
			return FolderState{Status: FolderComplete, Live: v.Live}, nil
		}
	}
	if errors.Is(err, hnsw.ErrDamaged) {
		return FolderState{Status: FolderDamaged, Reason: err.Error()}, nil
	}
	return FolderState{}, err
}
