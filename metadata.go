package holdfast

import (
	"fmt"
	"time"
)

// MaxNote bounds the note that somebody gives a backup, in bytes.
const MaxNote = 2000

// Metadata is backup_metadata.json: the manual's fields with the manual's
// meaning first, more beside them. It is written last; only a compaction
// writes it again, with the same content stored elsewhere.
type Metadata struct {
	BackupName     BackupName   `json:"backup_name"`
	CreatedAt      Time         `json:"created_at"`
	Type           Type         `json:"type"`
	IncludesMemory bool         `json:"includes_memory"`
	RAGMode        string       `json:"rag_mode"`
	DatabaseInfo   DatabaseInfo `json:"database_info"`

	Format        int              `json:"format"`
	Repository    string           `json:"repository"`
	Trigger       Trigger          `json:"trigger"`
	Parent        BackupName       `json:"parent,omitempty"`
	Needs         []BackupName     `json:"needs,omitempty"`
	Chain         *Chain           `json:"chain,omitempty"`
	Sources       []SourceMetadata `json:"sources"`
	LogicalBytes  int64            `json:"logical_bytes"`
	StoredBytes   int64            `json:"stored_bytes"`
	DurationMS    int64            `json:"duration_ms"`
	WriterStallMS float64          `json:"writer_stall_ms"`
	Problems      []Problem        `json:"problems,omitempty"`
	Note          string           `json:"note,omitempty"`
	// Encrypted tells that everything but this file is encrypted, to the
	// Recipients. What of the metadata could tell of the content then lies
	// encrypted beside it, and is filled in for whoever has a key.
	Encrypted   bool     `json:"encrypted,omitempty"`
	Recipients  []string `json:"recipients,omitempty"`
	Host        string   `json:"host,omitempty"`
	ToolVersion string   `json:"tool_version"`
}

// A Chain tells what a delta rests on, so that nobody has to walk from parent
// to parent to know when a full backup is due. Reading never follows it.
type Chain struct {
	Full       BackupName `json:"full"` // the full backup below all
	FullAt     Time       `json:"full_at"`
	FullBytes  int64      `json:"full_bytes"`  // stored
	Deltas     int        `json:"deltas"`      // between it and this backup
	DeltaBytes int64      `json:"delta_bytes"` // stored by those
}

// Next is the chain of a delta that has m as its parent.
func (m *Metadata) Next() Chain {
	if m.Chain == nil {
		return Chain{Full: m.BackupName, FullAt: m.CreatedAt, FullBytes: m.StoredBytes}
	}
	next := *m.Chain
	next.Deltas++
	next.DeltaBytes += m.StoredBytes
	return next
}

// DatabaseInfo is the manual's summary of the first database in a backup.
type DatabaseInfo struct {
	TotalRecords   int64   `json:"total_records"`
	DatabasePath   string  `json:"database_path"`
	DatabaseSizeMB float64 `json:"database_size_mb"`
}

// SourceMetadata is what a backup says of one of its sources.
type SourceMetadata struct {
	Name          string  `json:"name"`
	Kind          Kind    `json:"kind"`
	Path          string  `json:"path"`
	Files         int64   `json:"files"`
	LogicalBytes  int64   `json:"logical_bytes"`
	StoredBytes   int64   `json:"stored_bytes"`
	DurationMS    int64   `json:"duration_ms"`
	WriterStallMS float64 `json:"writer_stall_ms"`
	Method        string  `json:"method,omitempty"`
	Facts         Facts   `json:"facts"`
	// Memory names the collections exported from this source.
	Memory []string `json:"memory,omitempty"`
}

// SourceDamaged tells whether the backup captured a source that was itself
// damaged. Such a backup never makes an older good one removable.
func (m *Metadata) SourceDamaged() bool {
	for _, p := range m.Problems {
		if p.Severity == Damaged {
			return true
		}
	}
	return false
}

// MemoryInfo is memory_info.json: statistics of the memory in a backup.
type MemoryInfo struct {
	TotalMemories int64              `json:"total_memories"`
	Collections   []MemoryCollection `json:"collections"`
}

// MemoryCollection describes one exported collection, enough to create it
// again.
type MemoryCollection struct {
	Source    string `json:"source,omitempty"`
	Name      string `json:"name"`
	File      string `json:"file,omitempty"` // where in the backup its records are
	Records   int64  `json:"records"`
	Documents int64  `json:"documents"` // records that have a document
	Dimension int    `json:"dimension,omitempty"`
	Space     string `json:"space,omitempty"`
	Tenant    string `json:"tenant,omitempty"`
	Database  string `json:"database,omitempty"`
	// Oldest and Newest are the creation times of the first and last record.
	Oldest *Time `json:"oldest,omitempty"`
	Newest *Time `json:"newest,omitempty"`
	// MetadataKeys counts the records that have each key.
	MetadataKeys map[string]int64 `json:"metadata_keys,omitempty"`
	// What Chroma keeps for the collection, verbatim, to create it again.
	Metadata   Values `json:"metadata,omitempty"`
	ConfigJSON string `json:"config_json,omitempty"`
	SchemaJSON string `json:"schema_json,omitempty"`
}

// ProofKind tells how a backup was proven.
type ProofKind string

// The kinds of proof, the weaker first.
const (
	ProofStored ProofKind = "stored" // every stored byte read, nothing opened: no key was at hand
	ProofVerify ProofKind = "verify" // every byte read, each source's own check passed
	ProofDrill  ProofKind = "drill"  // restored for real and checked
)

// Proof records one verification or drill of a backup. Proofs lie beside the
// backup, not in it.
type Proof struct {
	At         Time      `json:"at"`
	Kind       ProofKind `json:"kind"`
	OK         bool      `json:"ok"`
	DurationMS int64     `json:"duration_ms"`
	Bytes      int64     `json:"bytes"`
	Problems   []Problem `json:"problems,omitempty"`
	// RestoreMS is how long a drill took to bring the data back: the recovery
	// time, without the checks that followed.
	RestoreMS int64 `json:"restore_ms,omitempty"`
	// Compared is what a drill compared of the restored data with what was
	// recorded when it was captured. Of many comparisons of one kind that are
	// good it has one line.
	Compared []Comparison `json:"compared,omitempty"`
}

// A Comparison is one thing that a drill looked at.
type Comparison struct {
	Source string `json:"source"`
	What   string `json:"what"` // "rows of table users", "answers of collection notes"
	Want   string `json:"want"`
	Got    string `json:"got"`
	OK     bool   `json:"ok"`
}

// Time is a moment as holdfast writes it: UTC with milliseconds.
type Time struct{ time.Time }

// TimeLayout is the layout of Time: RFC 3339 in UTC with milliseconds.
const TimeLayout = "2006-01-02T15:04:05.000Z"

// At makes a Time of t, cut to milliseconds.
func At(t time.Time) Time { return Time{t.UTC().Truncate(time.Millisecond)} }

// String gives the time as it is written in JSON.
func (t Time) String() string { return t.UTC().Format(TimeLayout) }

// MarshalText implements encoding.TextMarshaler.
func (t Time) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// MarshalJSON overrides time.Time's, whose layout drops trailing zeros.
func (t Time) MarshalJSON() ([]byte, error) { return []byte(`"` + t.String() + `"`), nil }

// UnmarshalText implements encoding.TextUnmarshaler; any RFC 3339 time is
// read.
func (t *Time) UnmarshalText(b []byte) error {
	v, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		return fmt.Errorf("time %q: %w", b, err)
	}
	*t = At(v)
	return nil
}

// UnmarshalJSON overrides time.Time's.
func (t *Time) UnmarshalJSON(b []byte) error {
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return fmt.Errorf("time %s: not a string", b)
	}
	return t.UnmarshalText(b[1 : len(b)-1])
}
