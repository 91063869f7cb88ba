// Package holdfast is the domain of the holdfast backup system: what it
// protects, what a backup is, and the words every other package speaks.
//
// Start from [Source] (something protected), [Sink] (where a capture goes),
// [Metadata] (what a backup says about itself) and [Error] (how anything
// fails). The package imports only the standard library and none of its
// siblings; they import it. The verbs live in package engine, the format in
// package repo.
//
// Strength of words in comments here and below: must = otherwise data is
// lost; should = otherwise a repair is needed, but nothing is lost.
package holdfast

// FormatVersion is the repository format this build writes. It never changes
// silently: see repo/FORMAT.md.
const FormatVersion = 1

// Kind tells what a source is.
type Kind string

// The kinds of source.
const (
	KindSQLite Kind = "sqlite"
	KindChroma Kind = "chroma"
	KindFiles  Kind = "files"
)

// Type tells whether a backup includes memory.
type Type string

// The types of backup.
const (
	Enhanced Type = "enhanced" // memory included
	Standard Type = "standard" // memory not included
)

// Trigger tells what caused a backup.
type Trigger string

// The triggers of a backup.
const (
	TriggerManual    Trigger = "manual"
	TriggerQuick     Trigger = "quick"
	TriggerAuto      Trigger = "auto"
	TriggerScheduled Trigger = "scheduled"
	TriggerChange    Trigger = "change"
	TriggerStartup   Trigger = "startup"
	TriggerShutdown  Trigger = "shutdown"
	TriggerEmergency Trigger = "emergency"
	TriggerGuard     Trigger = "guard"
)

// Triggers lists every trigger in the order of the documentation.
func Triggers() []Trigger {
	return []Trigger{
		TriggerManual, TriggerQuick, TriggerAuto, TriggerScheduled, TriggerChange,
		TriggerStartup, TriggerShutdown, TriggerEmergency, TriggerGuard,
	}
}

// Fixed places inside every backup, slash-separated from its root.
const (
	MetadataFile   = "backup_metadata.json"
	ManifestFile   = "manifest.json"
	SumsFile       = "SHA256SUMS"
	MemoryInfoFile = "memory_info.json"
	MemoryDir      = "memory_collection"
	MemoriesFile   = "memory_collection/memories.json"
	QuestionsDir   = "questions" // QuestionsDir/SOURCE.json, for drills
)
