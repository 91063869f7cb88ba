package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func (a *assistant) showDocuments(w http.ResponseWriter, r *http.Request) {
	a.showDocumentsWith(w, r, a.page(w, r, "documents"), nil)
}

// showDocumentsWith shows the library, and what became of a change to it.
func (a *assistant) showDocumentsWith(w http.ResponseWriter, r *http.Request, p *page, failed error) {
	var err error
	if !p.Restoring { // the page says so itself
		err = a.gate.use(func() (err error) {
			p.Documents, err = a.documents(r.Context())
			return err
		})
	}
	if failed != nil {
		err = failed
	}
	a.show(w, p, err)
}

// upload takes a PDF in: it is read first, since one that cannot be read is worth no
// backup; then comes the backup, and then the change.
func (a *assistant) upload(w http.ResponseWriter, r *http.Request) {
	p := a.page(w, r, "documents")
	doc, err := a.take(w, r, p)
	if err == nil {
		p.Notices = append([]notice{{Tone: good, ID: "upload.done", Args: []any{doc.File, doc.Pages, doc.Chunks}}}, p.Notices...)
	}
	a.showDocumentsWith(w, r, p, err)
}

func (a *assistant) take(w http.ResponseWriter, r *http.Request, p *page) (document, error) {
	r.Body = http.MaxBytesReader(w, r.Body, a.mostUpload+longestForm)
	folder, err := os.MkdirTemp(a.incoming, "upload-")
	if err != nil {
		return document{}, err
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "document.pdf")
	name, size, err := a.receive(r, path)
	if err != nil {
		return document{}, err
	}
	text, err := os.OpenFile(filepath.Join(folder, "document.txt"), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return document{}, err
	}
	defer text.Close()
	if err := a.pdf.text(r.Context(), path, text); err != nil {
		return document{}, err
	}
	if _, err := text.Seek(0, io.SeekStart); err != nil {
		return document{}, err
	}
	replaces, err := a.has(r.Context(), name)
	if err != nil {
		return document{}, err
	}
	var doc document
	err = a.changing(r.Context(), p, change{note: fmt.Sprintf("before the upload of %s", name), deletes: replaces}, func(ctx context.Context) (err error) {
		doc, err = a.add(ctx, name, path, size, text)
		return err
	})
	return doc, err
}

// has tells whether there is a document of a name, which an upload replaces.
func (a *assistant) has(ctx context.Context, file string) (there bool, err error) {
	if _, err := os.Lstat(filepath.Join(a.pdfs, file)); err == nil {
		return true, nil
	}
	err = a.gate.use(func() error {
		found, err := a.chroma.get(ctx, documentCollection, filter{"document": documentID(file)}, 1, 0)
		there = len(found.IDs) > 0
		return err
	})
	return there, err
}

// receive writes the file of the form to path.
func (a *assistant) receive(r *http.Request, path string) (name string, size int64, err error) {
	form, err := r.MultipartReader()
	if err != nil {
		return "", 0, say("upload.none")
	}
	for {
		part, err := form.NextPart()
		if err != nil {
			return "", 0, a.cut(err)
		}
		if part.FormName() != "pdf" || part.FileName() == "" {
			continue
		}
		size, err := a.save(part, path)
		return cleanName(part.FileName()), size, err
	}
}

// save writes what looks like a PDF.
func (a *assistant) save(part *multipart.Part, path string) (int64, error) {
	head := make([]byte, 1024)
	n, err := io.ReadFull(part, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, a.cut(err)
	}
	if !bytes.Contains(head[:n], []byte("%PDF-")) {
		return 0, say("upload.not_pdf")
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	size, err := io.Copy(f, io.MultiReader(bytes.NewReader(head[:n]), io.LimitReader(part, a.mostUpload+1)))
	if err != nil {
		return size, a.cut(err)
	}
	if size > a.mostUpload {
		return size, say("upload.large", a.mostUpload>>20)
	}
	return size, f.Close()
}

// cut says why an upload could not be read to its end.
func (a *assistant) cut(err error) error {
	if _, is := errors.AsType[*http.MaxBytesError](err); is {
		return say("upload.large", a.mostUpload>>20)
	}
	return because(err, "upload.none")
}

// delete takes a document away, after a backup.
func (a *assistant) delete(w http.ResponseWriter, r *http.Request) {
	p := a.page(w, r, "documents")
	r.Body = http.MaxBytesReader(w, r.Body, longestForm)
	file := r.PostFormValue("file")
	if file != cleanName(file) {
		a.showDocumentsWith(w, r, p, say("documents.unknown"))
		return
	}
	var known bool
	err := a.gate.use(func() error {
		all, err := a.documents(r.Context())
		known = slices.ContainsFunc(all, func(d document) bool { return d.File == file })
		return err
	})
	if err == nil && !known {
		err = say("documents.unknown")
	}
	if err == nil {
		err = a.changing(r.Context(), p, change{note: fmt.Sprintf("before %s is deleted", file), deletes: true}, func(ctx context.Context) error {
			return a.removeDocument(ctx, file)
		})
	}
	if err == nil {
		p.Notices = append([]notice{{Tone: good, ID: "documents.deleted", Args: []any{file}}}, p.Notices...)
	}
	a.showDocumentsWith(w, r, p, err)
}

// original sends the PDF that was uploaded.
func (a *assistant) original(w http.ResponseWriter, r *http.Request) {
	file := r.PathValue("file")
	root, err := os.OpenRoot(a.pdfs)
	if err != nil {
		a.showDocumentsWith(w, r, a.page(w, r, "documents"), err)
		return
	}
	defer root.Close()
	var info fs.FileInfo
	f, err := root.Open(file)
	if err == nil {
		defer f.Close()
		info, err = f.Stat()
	}
	if err != nil || !info.Mode().IsRegular() || !strings.HasSuffix(file, ".pdf") {
		a.showDocumentsWith(w, r, a.page(w, r, "documents"), say("documents.unknown"))
		return
	}
	w.Header().Set("Content-Type", "application/pdf")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("inline", map[string]string{"filename": file}))
	http.ServeContent(w, r, "", info.ModTime(), f)
}
