package holdfast

// Facts are what a source says about its data. Exactly one of the pointers is
// set.
type Facts struct {
	SQLite *SQLiteFacts `json:"sqlite,omitempty"`
	Chroma *ChromaFacts `json:"chroma,omitempty"`
	Files  *FilesFacts  `json:"files,omitempty"`
}

// Records is the number people ask for first: rows, records or files; false
// if it was not counted.
func (f Facts) Records() (int64, bool) {
	switch {
	case f.SQLite != nil:
		if f.SQLite.Rows == nil {
			return 0, false
		}
		return *f.SQLite.Rows, true
	case f.Chroma != nil:
		return f.Chroma.Records, true
	case f.Files != nil:
		return f.Files.Files, true
	}
	return 0, false
}

// CheckState is the outcome of a database's own check.
type CheckState string

// Outcomes of a database's own check.
const (
	CheckOK         CheckState = "ok"
	CheckFailed     CheckState = "failed"
	CheckUnfinished CheckState = "not finished" // the time budget ended first
	CheckUnchecked  CheckState = "unchecked"    // cannot be made here (unknown module …)
)

// SQLiteFacts describe a SQLite database.
type SQLiteFacts struct {
	PageSize      int    `json:"page_size"`
	PageCount     int64  `json:"page_count"`
	JournalMode   string `json:"journal_mode"`
	UserVersion   int64  `json:"user_version"`
	ApplicationID int64  `json:"application_id"`
	Encoding      string `json:"encoding,omitempty"`
	// Tables maps each table to its number of rows; absent tables were not
	// counted in time.
	Tables map[string]int64 `json:"tables,omitempty"`
	// Rows is the sum of Tables, absent unless all were counted.
	Rows       *int64     `json:"rows,omitempty"`
	QuickCheck CheckState `json:"quick_check"`
}

// ChromaFacts describe a Chroma directory.
type ChromaFacts struct {
	Schema      ChromaSchema       `json:"schema"`
	Collections []ChromaCollection `json:"collections"`
	Records     int64              `json:"records"`
	// Queued is the number of log records that are newer than the index.
	Queued        int64      `json:"queued"`
	JournalMode   string     `json:"journal_mode,omitempty"`
	QuickCheck    CheckState `json:"quick_check"`
	OrphanFolders int        `json:"orphan_folders,omitempty"` // left by deleted collections, not captured
	// Server is set if the data came from a running server by requests, record by
	// record, and not from its files.
	Server *ChromaServer `json:"server,omitempty"`
}

// ChromaServer describes a capture by requests.
type ChromaServer struct {
	API     string `json:"api"` // v1, v2
	Version string `json:"version,omitempty"`
	// Consistency says whether all records are of one instant.
	Consistency Consistency `json:"consistency"`
	// Began and Ended are the window in which everything was read: a fuzzy capture
	// holds for each record a state that it had in between.
	Began Time `json:"began"`
	Ended Time `json:"ended"`
	// Passes is how often everything was read.
	Passes int `json:"passes"`
	// Moved is what had changed at the last look of a fuzzy capture.
	Moved []ChromaMoved `json:"moved,omitempty"`
	// Partial tells that only parts were wanted: what a restore was about to replace.
	Partial bool `json:"partial,omitempty"`
}

// Consistency tells whether what was captured belongs to one instant.
type Consistency string

// The consistencies of a capture by requests.
const (
	// Consistent: between two looks at everything nothing had changed.
	Consistent Consistency = "consistent"
	// Fuzzy: records were written all the time.
	Fuzzy Consistency = "fuzzy"
)

// ChromaMoved counts what changed in a collection between two looks.
type ChromaMoved struct {
	Tenant     string `json:"tenant"`
	Database   string `json:"database"`
	Collection string `json:"collection"`
	Added      int64  `json:"added,omitempty"`
	Changed    int64  `json:"changed,omitempty"`
	Removed    int64  `json:"removed,omitempty"`
}

// ChromaSchema is the version of a Chroma directory: the highest migration of
// each of its three schemas, and in words the releases that write it.
type ChromaSchema struct {
	EmbeddingsQueue int    `json:"embeddings_queue"`
	MetaDB          int    `json:"metadb"`
	SysDB           int    `json:"sysdb"`
	Release         string `json:"release,omitempty"` // "1.0-1.2"
}

// Newer tells whether a server of schema t cannot read a directory of s.
func (s ChromaSchema) Newer(t ChromaSchema) bool {
	return s.EmbeddingsQueue > t.EmbeddingsQueue || s.MetaDB > t.MetaDB || s.SysDB > t.SysDB
}

// ChromaCollection describes one collection.
type ChromaCollection struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Tenant    string `json:"tenant,omitempty"`
	Database  string `json:"database,omitempty"`
	Records   int64  `json:"records"`
	Dimension int    `json:"dimension,omitempty"` // 0 until the first write
	Space     string `json:"space,omitempty"`     // l2, cosine, ip
	// Segment is the folder of the vector index; Indexed tells that it holds
	// a persisted index.
	Segment string `json:"segment,omitempty"`
	Indexed bool   `json:"indexed"`
	Memory  bool   `json:"memory,omitempty"`
}

// FilesFacts describe a tree of files.
type FilesFacts struct {
	Files    int64 `json:"files"`
	Dirs     int64 `json:"dirs"`
	Symlinks int64 `json:"symlinks"`
	Bytes    int64 `json:"bytes"`
	// Single tells that the source is one file and no tree.
	Single bool `json:"single,omitempty"`
}
