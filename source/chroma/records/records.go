// Package records is the form in which the records of a Chroma server are kept in a
// backup and exported: files that people can read, one JSON Lines file for each
// collection and its description beside it.
//
//	server.json                         what the server was, its databases
//	TENANT/DATABASE/COLLECTION.json     a collection: metadata, configuration, dimension …
//	TENANT/DATABASE/COLLECTION.jsonl    its records in the order of the API, one a line
//
// Start from [NewWriter] to write records, [Open] to read a tree, [WriteTree] to make one
// out of any copy. The same records give the same bytes, and a change moves or touches
// few blocks of 4 KiB (writer.go), so that increments stay small. docs/chroma-jsonl.md is
// the description for people.
package records

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// The names of the files.
const (
	ServerFile     = "server.json"
	DescriptionExt = ".json"
	RecordsExt     = ".jsonl"
)

// Format is the version of the form.
const Format = 1

// A Server is what server.json says.
type Server struct {
	Format int `json:"format"`
	// API and Version are what the server said of itself; of an export of files the
	// release that wrote them.
	API       string     `json:"api,omitempty"`
	Version   string     `json:"version,omitempty"`
	Databases []Database `json:"databases"`
}

// A Database is a database, perhaps one without collections.
type Database struct {
	Tenant string `json:"tenant"`
	Name   string `json:"name"`
}

// A description is what the file beside the records says.
type description struct {
	Tenant        string          `json:"tenant"`
	Database      string          `json:"database"`
	Name          string          `json:"name"`
	ID            string          `json:"id,omitempty"`
	Dimension     int             `json:"dimension,omitempty"`
	Space         string          `json:"space,omitempty"`
	Records       int64           `json:"records"`
	Metadata      holdfast.Values `json:"metadata,omitempty"`
	Configuration json.RawMessage `json:"configuration,omitempty"`
	Schema        json.RawMessage `json:"schema,omitempty"`
}

// WriteServer writes server.json.
func WriteServer(w io.Writer, s Server) error {
	s.Format = Format
	if s.Databases == nil {
		s.Databases = []Database{}
	}
	return writeIndented(w, s)
}

// WriteDescription writes the description of a collection.
func WriteDescription(w io.Writer, c disk.Collection) error {
	d := description{
		Tenant: c.Tenant, Database: c.Database, Name: c.Name, ID: c.ID, Dimension: c.Dimension, Space: c.Space,
		Records: c.Records, Metadata: c.Metadata,
	}
	for _, verbatim := range []struct {
		text string
		to   *json.RawMessage
	}{{c.ConfigJSON, &d.Configuration}, {c.SchemaJSON, &d.Schema}} {
		if verbatim.text != "" && json.Valid([]byte(verbatim.text)) {
			*verbatim.to = json.RawMessage(verbatim.text)
		}
	}
	return writeIndented(w, d)
}

func writeIndented(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// collection is what a description says, as every form of a copy gives it.
func (d description) collection() (disk.Collection, error) {
	if d.Name == "" || d.Tenant == "" || d.Database == "" {
		return disk.Collection{}, fmt.Errorf("it does not name a collection with its tenant and database")
	}
	if d.Dimension < 0 || d.Records < 0 {
		return disk.Collection{}, fmt.Errorf("its dimension is %d, and it has %d records", d.Dimension, d.Records)
	}
	return disk.Collection{
		ChromaCollection: holdfast.ChromaCollection{
			ID: d.ID, Name: d.Name, Tenant: d.Tenant, Database: d.Database,
			Records: d.Records, Dimension: d.Dimension, Space: d.Space,
		},
		Metadata: d.Metadata, ConfigJSON: string(d.Configuration), SchemaJSON: string(d.Schema),
	}, nil
}
