package content

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
	"github.com/holdfast-backup/holdfast/source/chroma/records"
)

// Export writes what a copy holds as the tree of package records. One that has this form
// already keeps what it says of its server.
func Export(ctx context.Context, copy fs.FS, sink holdfast.Sink) (_ []holdfast.Problem, err error) {
	c, err := Open(ctx, copy)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	var s records.Server
	switch from := c.(type) {
	case *records.Tree:
		s = from.Server()
	case *disk.Dir:
		s.Version = from.Schema().Release
		databases, err := from.Databases(ctx)
		if err != nil {
			return nil, err
		}
		for _, d := range databases { // also those without collections
			s.Databases = append(s.Databases, records.Database{Tenant: d.Tenant, Name: d.Name})
		}
	}
	return records.WriteTree(ctx, c, s, time.Time{}, sink)
}
