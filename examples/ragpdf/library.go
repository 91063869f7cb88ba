package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/rivo/uniseg"
	"golang.org/x/text/unicode/norm"
)

// The documents lie in one collection of Chroma, a record for each chunk, and their
// PDFs in the folder pdf. The first chunk of a document is written last, and it is
// what makes the document one: what was cut off half-way is no document.

const (
	documentCollection = "pdf_documents"
	batch              = 50 // chunks in one request
	listed             = 200
)

// A document is a PDF that was taken in.
type document struct {
	ID     string // of its name
	File   string
	Pages  int
	Chunks int
	Bytes  int64
	Added  time.Time
}

// documentID is what the records of a document have in common: the same name again
// replaces the document.
func documentID(file string) string { return digest([]byte(file)) }

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// longestName bounds the name of a file, in bytes.
const longestName = 180

// cleanName gives the name under which an uploaded file is kept: in one form of
// Unicode, without directories, control characters and a leading dot.
func cleanName(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\uFFFD' {
			return -1
		}
		return r
	}, norm.NFC.String(strings.ToValidUTF8(name, "")))
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.TrimLeft(strings.TrimSpace(name), ". ")
	stem := name
	if len(name) >= 4 && strings.EqualFold(name[len(name)-4:], ".pdf") {
		stem = name[:len(name)-4]
	}
	var short strings.Builder
	for state, rest := -1, stem; rest != ""; {
		var letter string
		letter, rest, _, state = uniseg.StepString(rest, state)
		if short.Len()+len(letter) > longestName {
			break
		}
		short.WriteString(letter)
	}
	if short.Len() == 0 {
		short.WriteString("document")
	}
	return short.String() + ".pdf"
}

// add takes the PDF at path into the library; text is what was read from it.
func (a *assistant) add(ctx context.Context, file, path string, size int64, text io.Reader) (document, error) {
	doc := document{ID: documentID(file), File: file, Bytes: size, Added: time.Now().UTC()}
	version := digest([]byte(doc.Added.Format(time.RFC3339Nano)))
	err := a.write(ctx, &doc, version, path, text)
	if err == nil {
		// What the document was before goes when the new one is there.
		err = a.chroma.remove(ctx, documentCollection, filter{"$and": []filter{{"document": doc.ID}, {"version": filter{"$ne": version}}}})
	} else {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err = errors.Join(err, a.chroma.remove(ctx, documentCollection, filter{"version": version}))
	}
	return doc, err
}

// write writes the records of a document, the first one last.
func (a *assistant) write(ctx context.Context, doc *document, version, path string, text io.Reader) error {
	var first, rest records
	put := func(r *records) error {
		if len(r.IDs) == 0 {
			return nil
		}
		err := a.chroma.upsert(ctx, documentCollection, *r)
		*r = records{}
		return err
	}
	for p, err := range passages(text) {
		if err != nil {
			return err
		}
		to := &rest
		if doc.Chunks == 0 {
			to = &first
		}
		to.IDs = append(to.IDs, fmt.Sprintf("%s-%s-%d", doc.ID, version, doc.Chunks))
		to.Documents = append(to.Documents, p.Text)
		to.Embeddings = append(to.Embeddings, vector(p.Text))
		to.Metadatas = append(to.Metadatas, map[string]any{
			"document": doc.ID, "version": version, "file": doc.File, "page": p.Page, "chunk": doc.Chunks,
		})
		doc.Chunks++
		doc.Pages = p.Page
		if len(rest.IDs) == batch {
			if err := put(&rest); err != nil {
				return err
			}
		}
	}
	if doc.Chunks == 0 {
		return say("pdf.empty")
	}
	if err := put(&rest); err != nil {
		return err
	}
	card := first.Metadatas[0]
	card["chunks"], card["pages"], card["bytes"], card["added"] = doc.Chunks, doc.Pages, doc.Bytes, doc.Added.Format(time.RFC3339)
	if err := put(&first); err != nil {
		return err // and the file of the same name is the one that it was
	}
	return os.Rename(path, filepath.Join(a.pdfs, doc.File))
}

// documents lists the library, by name.
func (a *assistant) documents(ctx context.Context) ([]document, error) {
	var out []document
	for offset := 0; ; offset += listed {
		page, err := a.chroma.get(ctx, documentCollection, filter{"chunk": 0}, listed, offset)
		if err != nil {
			return nil, err
		}
		for _, m := range page.Metadatas {
			d := document{ID: textOf(m, "document"), File: textOf(m, "file"), Pages: numberOf(m, "pages"), Chunks: numberOf(m, "chunks"), Bytes: int64(numberOf(m, "bytes"))}
			if d.Added, err = time.Parse(time.RFC3339, textOf(m, "added")); err != nil {
				continue // another program's record
			}
			out = append(out, d)
		}
		if len(page.IDs) < listed {
			break
		}
	}
	slices.SortFunc(out, func(x, y document) int { return strings.Compare(x.File, y.File) })
	return out, nil
}

// textOf and numberOf read a field of metadata; what is not there is nothing.
func textOf(meta map[string]any, key string) string { s, _ := meta[key].(string); return s }
func numberOf(meta map[string]any, key string) int  { f, _ := meta[key].(float64); return int(f) }

// removeDocument takes a document out of the library.
func (a *assistant) removeDocument(ctx context.Context, file string) error {
	if err := a.chroma.remove(ctx, documentCollection, filter{"document": documentID(file)}); err != nil {
		return err
	}
	root, err := os.OpenRoot(a.pdfs) // a name cannot lead out of it
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// clear empties the library, and the memory if that is wanted, too.
func (a *assistant) clear(ctx context.Context, memory bool) error {
	names := []string{documentCollection}
	if memory {
		names = append(names, memoryCollection)
	}
	for _, name := range names {
		if err := a.chroma.drop(ctx, name); err != nil {
			return err
		}
	}
	// Both are there again at once: a backup wants the memory that it is told of.
	if err := a.reload(ctx); err != nil {
		return err
	}
	entries, err := os.ReadDir(a.pdfs)
	if err != nil {
		return err
	}
	for _, e := range entries {
		err = errors.Join(err, os.Remove(filepath.Join(a.pdfs, e.Name())))
	}
	return err
}
