// Package config decides what holdfast works with: which repository, which
// sources, which settings. A value comes from a flag, else the environment,
// else .env, else the configuration file, else its default, and every value
// remembers where it came from.
//
// Start from [Load]; [Keys] is the table of everything that can be set. A key
// that this version does not honour is an error, never ignored, and all errors
// are reported together. The package reads and judges text only: it opens no
// source and no repository (package wire does).
package config

import (
	"net/http"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// Names of the files that are looked for in the working directory.
const (
	FileName    = "holdfast.yaml"
	AltFileName = "holdfast.yml"
	DotEnv      = ".env"
)

// DefaultChroma is where a Chroma directory is looked for if no source is
// configured.
const DefaultChroma = "./data/chromadb"

// A Config is what everything else works with. Its values are checked.
type Config struct {
	File string // the configuration file that was read, empty if none

	Repository string
	State      string // empty: the repository's own state folder
	Sources    []Source
	// ChromaHeaders are for servers whose source has no headers of its own.
	ChromaHeaders http.Header
	Replicas      []Replica
	// ReplicateAfterBackup copies each backup as soon as it is made.
	ReplicateAfterBackup bool
	IncludeMemory        bool
	Compression          bool
	AutoBackup           bool
	MaxBackupSizeMB      int64
	// MaxBackupSizeSet tells that a person chose the limit: it refuses.
	MaxBackupSizeSet bool
	Retention        Retention
	Encryption       Encryption
	Deltas           string // DeltasAuto …
	FullEvery        time.Duration
	Emergency        Emergency
	Hooks            Hooks
	CheckBudget      time.Duration
	Schedule         Schedule
	Run              Run
	Serve            Serve
	Proxy            Proxy
	Drill            Drill
	Verify           Verify
	Notify           Notify
	Ping             Ping
	Webhooks         Webhooks
	Telegram         Telegram
	Log              Log

	// Detected tells that no source was configured and DefaultChroma was
	// found and taken.
	Detected bool
	// Assumed tells that it was taken although it does not exist.
	Assumed bool

	Values   []Value            // every setting with its origin, in the order of Keys
	Warnings []holdfast.Problem // worth telling, but not wrong
}

// The values of Deltas.
const (
	DeltasAuto   = "auto"
	DeltasAlways = "always"
	DeltasNever  = "never"
)

// Emergency configures the backup that precedes a restore.
type Emergency struct {
	Enabled bool
	Prefix  string
}

// Hooks are commands around backups and restores.
type Hooks struct {
	Stop    string // what uses the sources, for a restore
	Start   string
	Reload  string        // what remembers parts of a running store that were replaced
	Timeout time.Duration // of each

	BeforeBackup, AfterBackup   string
	BeforeRestore, AfterRestore string
	OnFailure                   string
}

// A Source is one thing to protect, as configured.
type Source struct {
	Name    string
	Kind    holdfast.Kind
	Path    string   // empty if Server is set
	Server  *Server  // Chroma: asked by requests
	Memory  []string // Chroma: the collections that are the assistant's memory
	RAGMode string   // Chroma: "enhanced" or "standard"
	Exclude []string // files: patterns of what is left out
	// Mirror is where the newest backup of a SQLite source also lies as a plain
	// file; empty: nowhere.
	Mirror string
	Origin Origin
}

// Location is where the source lies, as it may be shown: its path, or the URL of its
// server.
func (s Source) Location() string {
	if s.Server != nil {
		return s.Server.Location()
	}
	return s.Path
}

// Modes of a RAG assistant.
const (
	RAGEnhanced = "enhanced"
	RAGStandard = "standard"
)

// Layer tells which layer a value came from, the strongest first.
type Layer string

// The layers of configuration.
const (
	FromFlag        Layer = "flag"
	FromEnvironment Layer = "environment"
	FromDotEnv      Layer = ".env"
	FromFile        Layer = "file"
	FromDefault     Layer = "default"
)

// Origin tells where a value came from: the layer, and within it the flag,
// variable or line.
type Origin struct {
	Layer Layer  `json:"layer"`
	Where string `json:"where,omitempty"`
}

// String names the origin for people.
func (o Origin) String() string {
	switch {
	case o.Where == "":
		return string(o.Layer)
	case o.Layer == FromFile:
		return o.Where
	}
	return string(o.Layer) + " " + o.Where
}

// A Value is one setting as it is shown.
type Value struct {
	Key    string
	Value  string
	Origin Origin
	// Secret tells that the value must not be shown.
	Secret bool
}

// Shown is the value, or stars if it is a secret.
func (v Value) Shown() string {
	if v.Secret && v.Value != "" {
		return "***"
	}
	return v.Value
}
