package telegramtest

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	mostDownload = 20 << 20  // bytes that getFile gives
	pathLife     = time.Hour // a path is good for at least so long; here, not longer
)

// A Document is a file in a message.
type Document struct {
	FileID       string `json:"file_id"`
	FileUniqueID string `json:"file_unique_id"`
	FileName     string `json:"file_name,omitempty"`
	MimeType     string `json:"mime_type,omitempty"`
	FileSize     int64  `json:"file_size,omitempty"`
}

// A file is what was uploaded.
type file struct {
	Document Document
	Name     string // in the folder of files
	Path     string // that getFile gave last
	PathAt   int64
}

// caption gives the caption of a request.
func (c *call) caption() (string, []Entity, error) {
	text, entities, err := c.formatted("caption", "caption_entities")
	if err == nil && units(text) > mostCaption {
		err = badRequest("message caption is too long")
	}
	return text, entities, err
}

// sendDocument implements the method.
func sendDocument(c *call) (any, error) {
	caption, entities, err := c.caption()
	if err != nil {
		return nil, err
	}
	ref := c.text("document")
	if c.files["document"] != nil {
		ref = "attach://document"
	}
	doc, err := c.document(ref)
	if err != nil {
		return nil, err
	}
	return c.sent(Message{Document: doc, Caption: caption, CaptionEntities: entities})
}

// document gives the document that a request refers to: one that it brings,
// or one that Telegram has.
func (c *call) document(ref string) (*Document, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	name, attached := strings.CutPrefix(ref, "attach://")
	switch {
	case attached:
		return c.keep(name)
	case ref == "":
		return nil, badRequest("there is no document in the request")
	case strings.Contains(ref, "://"):
		return nil, badRequest("failed to get HTTP URL content")
	}
	f := c.s.state.Files[ref]
	if f == nil {
		return nil, badRequest("wrong file identifier/HTTP URL specified")
	}
	return new(f.Document), nil
}

// keep takes an upload over.
func (c *call) keep(name string) (*Document, error) {
	u := c.files[name]
	switch {
	case u == nil:
		return nil, badRequest("file %q is not found among the attached ones", name)
	case u.size == 0:
		return nil, badRequest("file must be non-empty")
	}
	s := c.s
	s.state.LastFile++
	f := &file{Name: strconv.Itoa(s.state.LastFile)}
	if err := os.Rename(u.path, s.fileAt(f)); err != nil {
		return nil, err
	}
	u.path = ""
	f.Document = Document{
		FileID:       newID("BQACAgQAAxkD"),
		FileUniqueID: newID("AgAD")[:15],
		FileName:     filepath.Base(u.name),
		MimeType:     mimeOf(u.name),
		FileSize:     u.size,
	}
	s.state.Files[f.Document.FileID] = f
	return new(f.Document), nil
}

func mimeOf(name string) string {
	kind, _, _ := strings.Cut(mime.TypeByExtension(filepath.Ext(name)), ";")
	if kind == "" {
		kind = "application/octet-stream"
	}
	return kind
}

// getFile implements the method.
func getFile(c *call) (any, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	f := c.s.state.Files[c.text("file_id")]
	switch {
	case c.text("file_id") == "":
		return nil, badRequest("file_id not specified")
	case f == nil:
		return nil, badRequest("wrong file_id or the file is temporarily unavailable")
	case f.Document.FileSize > mostDownload && !c.s.o.Local:
		return nil, badRequest("file is too big")
	}
	f.Path, f.PathAt = "documents/file_"+f.Name+filepath.Ext(f.Document.FileName), c.s.now()
	path := f.Path
	if c.s.o.Local {
		path = c.s.fileAt(f)
	}
	return map[string]any{
		"file_id": f.Document.FileID, "file_unique_id": f.Document.FileUniqueID,
		"file_size": f.Document.FileSize, "file_path": path,
	}, nil
}

func (s *Server) fileAt(f *file) string { return filepath.Join(s.files, f.Name) }

// serveFile sends a file by a path that getFile gave.
func (s *Server) serveFile(w http.ResponseWriter, req *http.Request, path string) {
	fault, faulty := s.fault(Download)
	if faulty && fault.before(w, req) {
		return
	}
	f := s.byPath(path)
	if f == nil || s.o.Local {
		reply(w, nil, errNotFound)
		return
	}
	in, err := os.Open(s.fileAt(f))
	if err != nil {
		reply(w, nil, errNotFound)
		return
	}
	defer in.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(f.Document.FileSize, 10))
	var out io.Writer = w
	if faulty {
		out = fault.writer(w)
	}
	// A client that went away has no use for an error.
	_, _ = io.Copy(out, in)
}

func (s *Server) byPath(path string) *file {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.state.Files {
		if f.Path == path && time.Duration(s.now()-f.PathAt)*time.Second < pathLife {
			return f
		}
	}
	return nil
}

// Open opens the bytes of a document.
func (s *Server) Open(fileID string) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.state.Files[fileID]
	if f == nil {
		return nil, fmt.Errorf("there is no file %q", fileID)
	}
	return os.Open(s.fileAt(f))
}

// Bytes are the bytes of the document of a message; none if it has none.
func (s *Server) Bytes(m Message) []byte {
	if s.t != nil {
		s.t.Helper()
	}
	if m.Document == nil {
		return nil
	}
	in, err := s.Open(m.Document.FileID)
	if err != nil {
		s.wrong(err)
		return nil
	}
	defer in.Close()
	b, err := io.ReadAll(in)
	if err != nil {
		s.wrong(err)
	}
	return b
}
