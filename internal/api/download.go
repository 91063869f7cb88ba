package api

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/repo"
)

type downloadInput struct {
	Named
	Format string `query:"format" enum:"tar,zip" default:"tar" doc:"The form of the archive."`
	Source string `query:"source" maxLength:"180" doc:"Only the folder of this source."`
}

type streamOutput struct {
	Body func(huma.Context)
}

// archiveTypes are the media types of the formats.
var archiveTypes = map[string]string{"tar": "application/x-tar", "zip": "application/zip"}

func (s *server) addDownload() {
	add(s, route{
		id: "downloadBackup", method: http.MethodGet, path: "/backups/{name}/download", tag: "restore",
		summary: "Download a backup as an archive",
		description: "Streams the full tree of a backup, every file whole, from whatever form it is stored in: the tree of `holdfast export`. " +
			"Every byte is checked on its way. An archive that turns out to be damaged is never ended properly: the connection is cut, so a download that the client counts as complete is whole.",
		scopes: []access.Scope{access.ScopeRestore}, status: http.StatusOK,
		errors: []int{http.StatusNotFound}, produces: []string{"application/x-tar", "application/zip"},
	}, s.download)
}

// download opens the nearest copy of a backup before anything is answered.
func (s *server) download(ctx context.Context, in *downloadInput) (*streamOutput, error) {
	name, err := in.parsed()
	if err != nil {
		return nil, err
	}
	part := "."
	if in.Source != "" {
		if part, err = holdfast.ParseSourceName(in.Source); err != nil {
			return nil, err
		}
	}
	e, err := s.core().Keeper.Engine(ctx)
	if err != nil {
		return nil, err
	}
	b, _, err := e.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	return &streamOutput{Body: func(hc huma.Context) {
		defer b.Close() // what was read was checked; nothing of it can fail now
		r, w := humago.Unwrap(hc)
		s.sendArchive(w, r, b, in.Format, part)
	}}, nil
}

// sendArchive writes the archive. What fails before anything was sent is told as a
// problem; afterwards nothing is left but to cut the connection.
func (s *server) sendArchive(w http.ResponseWriter, r *http.Request, b *repo.Backup, format, part string) {
	b.Until(r.Context())
	file := b.Metadata().BackupName.String()
	if part != "." {
		file += "." + part
	}
	out := &lateWriter{out: newUnhurried(w), begin: func() {
		h := w.Header()
		h.Set("Content-Type", archiveTypes[format])
		h.Set("Content-Disposition", attachment(file+"."+format))
		w.WriteHeader(http.StatusOK)
	}}
	if r.Method == http.MethodHead {
		out.begin()
		return
	}
	access.Note(r.Context(), access.Facts{Backup: b.Metadata().BackupName.String(), Disclosed: true})
	write := b.WriteTarOf
	if format == "zip" {
		write = b.WriteZipOf
	}
	err := write(r.Context(), part, out)
	if err == nil {
		err = out.flush()
	}
	switch {
	case err == nil:
	case !out.begun:
		writeProblem(w, r, problemOf(r.Context(), err))
	default:
		s.log.Warn("a download was cut", "backup", b.Metadata().BackupName, "error", err)
		access.Note(r.Context(), access.Facts{Why: err.Error()})
		panic(http.ErrAbortHandler)
	}
}

// lateWriter keeps the beginning of a response until there is so much of it that it
// must go.
type lateWriter struct {
	out   io.Writer
	begin func()
	held  bytes.Buffer
	begun bool
}

// heldBytes is how much may be kept.
const heldBytes = 256 << 10

// Write implements io.Writer.
func (l *lateWriter) Write(b []byte) (int, error) {
	if !l.begun && l.held.Len()+len(b) <= heldBytes {
		return l.held.Write(b)
	}
	if err := l.flush(); err != nil {
		return 0, err
	}
	return l.out.Write(b)
}

// flush sends what was kept.
func (l *lateWriter) flush() error {
	if l.begun {
		return nil
	}
	l.begun = true
	l.begin()
	_, err := l.out.Write(l.held.Bytes())
	l.held = bytes.Buffer{}
	return err
}

// attachment names a file in a header: in full for those who read RFC 8187, and in
// ASCII for the others.
func attachment(name string) string {
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' || r == '%' {
			return '_'
		}
		return r
	}, name)
	return `attachment; filename="` + plain + `"; filename*=UTF-8''` + strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
}
