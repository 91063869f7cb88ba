package report

import (
	"context"
	"errors"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo"
)

// Show is the outcome of show.
type Show struct {
	Type       string             `json:"type"` // show
	Repository string             `json:"repository"`
	From       string             `json:"from,omitempty"` // the replica whose copy it is
	Backup     Backup             `json:"backup"`
	Metadata   *holdfast.Metadata `json:"metadata"`
	Proofs     []holdfast.Proof   `json:"proofs"`
	// Private tells that the backup is encrypted and no key was given, so that
	// only what lies in the open is shown.
	Private bool   `json:"private,omitempty"`
	Files   []File `json:"files,omitempty"`
	// Memory is what memory_info.json tells; MemoryError, why it cannot be read.
	Memory      *holdfast.MemoryInfo `json:"memory,omitempty"`
	MemoryError string               `json:"memory_error,omitempty"`
	// Places are where a copy may be: the repository, and every replica.
	Places []CopyPlace `json:"places,omitempty"`
}

// File is one entry of a backup.
type File struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	Stored int64  `json:"stored_bytes"`
	Form   string `json:"form,omitempty"`
	Mode   string `json:"mode"`
	Digest string `json:"digest,omitempty"`
	Link   string `json:"link,omitempty"`
}

// NewShow shows a copy of a backup with all that it says of itself; with tree,
// every file in it, too.
func NewShow(ctx context.Context, near *engine.Copy, tree bool) (Show, error) {
	r, info := near.At, near.Backup
	out := Show{Type: "show", Repository: r.Location(), From: near.From, Backup: NewBackup(info), Metadata: info.Metadata, Proofs: info.Proofs}
	if out.Proofs == nil {
		out.Proofs = []holdfast.Proof{}
	}
	var err error
	if info.Metadata.Encrypted {
		if out.Metadata, out.Private, err = fullMetadata(ctx, r, info); err != nil {
			return out, err
		}
	}
	if tree {
		out.Files, err = listFiles(ctx, r, info.Name)
	}
	return out, err
}

// Complete adds what is not in the metadata: the statistics of the memory, which keep
// nobody from the rest if they cannot be read, and which places have the backup.
func (s *Show) Complete(ctx context.Context, e *engine.Engine, near *engine.Copy) {
	s.Places = PlacesOf(ctx, e, near.Backup.Name)
	if s.Private {
		return
	}
	var err error
	if s.Memory, err = MemoryIn(ctx, near); err != nil {
		s.MemoryError = Text(err)
	}
}

// fullMetadata gives all that an encrypted backup says of itself, if there is a
// key.
func fullMetadata(ctx context.Context, r *repo.Repository, info repo.Info) (m *holdfast.Metadata, private bool, err error) {
	b, err := r.Backup(ctx, info.Name)
	if errors.Is(err, repo.ErrNoKey) {
		return info.Metadata, true, nil
	}
	if err != nil {
		return nil, false, err
	}
	return b.Metadata(), false, b.Close()
}

func listFiles(ctx context.Context, r *repo.Repository, name holdfast.BackupName) (items []File, err error) {
	b, err := r.Backup(ctx, name)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closed := b.Close(); err == nil {
			err = closed
		}
	}()
	for _, f := range b.Files() {
		items = append(items, File{Path: f.Path, Bytes: f.Size, Stored: f.Stored, Form: f.Form, Mode: f.Mode.String(), Digest: f.Digest, Link: f.Link})
	}
	return items, nil
}
