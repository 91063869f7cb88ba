package holdfast

import (
	"context"
	"io"
	"io/fs"
	"time"
)

// A Source is a data store that can be captured while its owner keeps
// writing. Implementations are in source/…; source/sourcetest holds them to
// these sentences.
type Source interface {
	// Name is the folder of this source in every backup.
	Name() string

	// Kind tells what the source is.
	Kind() Kind

	// Target tells where the source lives, for preflight and restore.
	Target() Target

	// Inspect looks at the live source without blocking its owner: does it
	// exist, how large is it, what does it hold now. It is for preflight,
	// status and the dry run of a restore; it reads little. A source that
	// does not exist is no error.
	Inspect(ctx context.Context, opts InspectOptions) (Inspection, error)

	// Capture writes one consistent view of the source into sink while its
	// owner keeps writing. All files it leaves in the sink belong to one
	// instant. Damage found in the source is no error: it is captured as it
	// is and reported in Captured.Problems. A source that cannot be read at
	// all is an error and leaves the backup without a commit.
	Capture(ctx context.Context, sink Sink) (Captured, error)

	// Check opens a copy of the source, rooted where Capture's sink was, as
	// its owner would, and reports facts and every problem it finds. The
	// copy is not changed. The error is for a check that could not be made
	// (cancelled, unreadable); damage is a Problem, not an error.
	Check(ctx context.Context, copy fs.FS, opts CheckOptions) (Report, error)
}

// InspectOptions bounds an inspection.
type InspectOptions struct {
	// Counts asks for the numbers of records too, which may take a moment.
	Counts bool
}

// Inspection is a glance at a live source.
type Inspection struct {
	Exists bool
	Bytes  int64 // logical size of what a capture would read
	Facts  Facts // counts bounded in time; QuickCheck is left unchecked
}

// Captured is the outcome of a capture.
type Captured struct {
	// Stall is the longest time that a writer may have had to wait.
	Stall time.Duration
	// Method says in a few words how it was captured ("wal snapshot",
	// "optimistic", "shared lock", "2 rounds").
	Method string
	// Facts that only the live source can tell (journal mode …); the engine
	// merges them with what Check reports from the captured copy.
	Facts Facts
	// Problems are damage in the source and parts that could not be read.
	Problems []Problem
}

// CheckOptions bounds a check.
type CheckOptions struct {
	// Budget limits the time spent on checks that read everything
	// (quick_check, row counts). Zero means no limit. What was not finished
	// is said in Facts ("not finished"), never reported as good; what could
	// not be finished anyway need not be begun.
	Budget time.Duration
	// Full asks for the slowest, deepest check (integrity_check instead of
	// quick_check, foreign keys).
	Full bool
}

// checkRate is what a database's own check reads in a second at best.
const checkRate = 512 << 20

// Hopeless tells that a check that reads size bytes cannot end in the budget.
func (o CheckOptions) Hopeless(size int64) bool {
	return o.Budget > 0 && size > int64(o.Budget.Seconds()*checkRate)
}

// Report is the outcome of a check.
type Report struct {
	Facts    Facts
	Problems []Problem
}

// Problem is one thing that is wrong or left out, named by object. Nothing is
// silent: problems appear in the exit code, the JSON, the log and the
// metadata.
type Problem struct {
	Source string `json:"source,omitempty"`
	// Path of the file concerned, or another name of the object
	// ("collection notes").
	Object string `json:"object,omitempty"`
	// Severity: damaged (the data is broken), incomplete (something is
	// missing from the backup), warning (worth knowing, nothing lost).
	Severity Severity `json:"severity"`
	// Message says what is wrong; Hint what to do about it.
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// Severity orders problems.
type Severity string

// The severities of a problem.
const (
	Damaged    Severity = "damaged"
	Incomplete Severity = "incomplete"
	Warning    Severity = "warning"
)

// Target tells where a source lives.
type Target struct {
	// Path is the database file or the directory, as configured; if Remote, the URL
	// without credentials.
	Path string
	// Remote tells that nothing of the source is on the disks of this machine: it is
	// read and written by requests, and no other field than Path is set.
	Remote bool
	// Dir tells that Path is a directory whose whole content is the source.
	// Otherwise the source is one file and its Companions.
	Dir bool
	// File is the base name under which the source's single file lies in a
	// backup (bot/bot_database.db); empty if Dir.
	File string
	// Companions are suffixes of files that belong to Path as one set and
	// must be moved aside with it (-wal, -shm, -journal).
	Companions []string
	// LiveFiles are the files, relative to Path ("" = Path itself), that a
	// process which uses the source holds open.
	LiveFiles []string
}

// A TargetShaper is a source whose target takes its shape from what is there. For
// a restore the backup decides: there may be nothing, or something else by now.
type TargetShaper interface {
	Source
	// TargetFor is Target as the captured source of these facts was shaped.
	TargetFor(Facts) Target
}

// A Sink takes the files of one source during a capture.
type Sink interface {
	// Create starts a regular file. The writer must be closed or discarded.
	// Creating a path again after its writer was closed replaces the file.
	// Writers of different paths may be used side by side.
	Create(e Entry) (FileWriter, error)
	// Add records a directory or a symbolic link.
	Add(e Entry) error
	// Remove forgets a path that was created or added before.
	Remove(path string) error
	// Reuse records e with the content that its path has in the last
	// backup, if that was captured under the same stamp (see
	// FileWriter.Stamp), and tells whether it did. If not, nothing has
	// happened and the file must be written. An empty stamp is never the
	// same. After a Reuse that turned out to be wrong, Create or Remove
	// begins the path again.
	Reuse(e Entry, stamp string) (bool, error)
}

// A Teller is a sink that passes on how far a capture is, for sources that read much
// that they do not write.
type Teller interface {
	Sink
	// Tell says what is being done ("look 2, 1200 records"), and how many of about
	// how many bytes have been read. It may be called often and from several
	// goroutines.
	Tell(message string, done, total int64)
}

// An Entry describes one file, directory or symbolic link of a source.
type Entry struct {
	// Path is slash-separated and relative to the source's folder.
	Path    string
	Mode    fs.FileMode // type bits and permissions
	ModTime time.Time
	Size    int64  // expected size; a hint, zero if unknown
	Link    string // target of a symbolic link
}

// A FileWriter takes the bytes of one file in order.
type FileWriter interface {
	io.Writer
	// Skip adds a hole: n zero bytes that are not stored.
	Skip(n int64) error
	// Reset begins the file again from byte 0, because what was written so
	// far turned out not to belong to one instant. The sink may compare the
	// second pass with the first instead of storing it twice, so a source
	// that holds a lock during the second pass holds it for little more
	// than one read of the file.
	Reset() error
	// Stamp says by what the bytes written are known: whenever the file at
	// this path has the same stamp again, it has the same bytes. A source
	// gives one only where that is certain (identity, size, times and
	// whatever its format counts, settled long enough for a later change to
	// show). It is called before Close; Reset takes it back.
	Stamp(stamp string)
	// Close completes the file. The real work of a second pass may happen
	// here: release locks before.
	Close() error
	// Discard drops the file. After Close it does nothing.
	Discard() error
}

// A MemorySource is a source that can tell the records of a RAG assistant's
// memory apart from the rest (Chroma).
type MemorySource interface {
	Source

	// MemoryCollections are the names of the configured collections, none
	// if memory is not configured.
	MemoryCollections() []string

	// RAGMode is the mode of the assistant that owns the source; memory is
	// restored only where it is "enhanced".
	RAGMode() string

	// ExportMemory streams the records of one collection, found in a
	// captured copy, to w in the shape of Chroma's get: an object with ids,
	// documents, metadatas and embeddings. A collection that does not exist
	// gives an error that matches ErrNotFound.
	ExportMemory(ctx context.Context, copy fs.FS, collection string, w io.Writer) (MemoryCollection, error)

	// RestoreMemory puts the records of r (a memories.json) into the
	// collection of a stopped directory dir, replacing what it held; other
	// collections keep every byte of theirs.
	RestoreMemory(ctx context.Context, dir string, info MemoryCollection, r io.Reader) error
}

// An OnlineRestorer can bring a restored copy into a live store through the
// store's own transaction, so that open connections go on.
type OnlineRestorer interface {
	// RestoreOnline replaces the content of the live store at Target by the
	// staged copy at path in one transaction.
	RestoreOnline(ctx context.Context, path string, progress func(done, total int64)) error
}

// A Peeker is a source that can tell from a look at its files, without opening
// or reading any of them, whether something was written.
type Peeker interface {
	Source
	// Peek describes what the file system tells of the source now. Two equal
	// states that are both settled mean that nothing was written between the
	// two looks. A state is not settled while a later write might not show
	// in it, since the last one was only moments ago: look again later. Where
	// the file system does not show every write, or there is too much to look
	// at, no state ever is: only a capture tells. Different states may hold the same data (a checkpoint moves it). A
	// source that does not exist has the empty state, settled. An error
	// tells that it cannot be known whether something was written.
	Peek() (state string, settled bool, err error)
}

// A Leaver is a source whose owner leaves things behind that belong to nothing any
// more, such as the index of a deleted collection. A capture counts them in its facts
// and leaves them out without a problem.
type Leaver interface {
	Source
	// LeftBehind picks what was left behind among the entries at the top of the
	// target that a capture left out, which told these facts. What may be anything
	// else is not picked.
	LeftBehind(out []fs.DirEntry, facts Facts) []string
}

// A Rehearser is a source whose owner can be started on a restored copy and asked.
// When a backup is made it records questions with the answers that the captured
// copy gives; a drill has them answered by a real server.
type Rehearser interface {
	Source

	// Questions writes questions about a captured copy, with their answers, to w.
	// It is bounded in time and reads little, whatever the size of the copy.
	Questions(ctx context.Context, copy fs.FS, w io.Writer) (n int, err error)

	// Rehearse starts command, which the system's shell runs, on the restored copy
	// in dir, asks the questions and stops it again. What is written to dir
	// meanwhile is lost. An answer that differs is a Comparison that is not OK; an
	// error is for a rehearsal that could not be held. Without a command the
	// answers are read from the files, which stay as they are.
	Rehearse(ctx context.Context, dir, command string, questions io.Reader) ([]Comparison, error)
}
