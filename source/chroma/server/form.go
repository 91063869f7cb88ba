package server

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
	"github.com/holdfast-backup/holdfast/source/chroma/records"
)

// pathOf is where the files of a collection lie, without their endings.
func pathOf(at address) string { return records.Path(at.tenant, at.database, at.name) }

// describe writes what is known of a collection beside its n records.
func describe(w io.Writer, c api.Collection, n int64) error {
	return records.WriteDescription(w, disk.Collection{
		ChromaCollection: holdfast.ChromaCollection{
			ID: c.ID, Name: c.Name, Tenant: c.Tenant, Database: c.Database,
			Records: n, Dimension: c.Dimension, Space: c.Space,
		},
		Metadata: c.Metadata, ConfigJSON: ordered(c.Configuration), SchemaJSON: ordered(c.Schema),
	})
}

// ordered gives a text of JSON with the keys of its objects in order: a server writes
// them in another one each time.
func ordered(text json.RawMessage) string {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil || v == nil {
		return ""
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		return ""
	}
	return strings.TrimSpace(out.String())
}

// writeServer writes what the server is, and its databases.
func (c *capture) writeServer() error {
	s := records.Server{API: c.server.API, Version: c.server.Version}
	for _, d := range c.bases {
		s.Databases = append(s.Databases, records.Database{Tenant: d.Tenant, Name: d.Name})
	}
	return c.put(records.ServerFile, func(w io.Writer) error { return records.WriteServer(w, s) })
}

// remove takes the files of a collection out of the backup.
func (c *capture) remove(at address) error {
	for _, ext := range []string{records.RecordsExt, records.DescriptionExt} {
		if err := c.sink.Remove(pathOf(at) + ext); err != nil {
			return err
		}
	}
	return nil
}
