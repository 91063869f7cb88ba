//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/holdfast-backup/holdfast/internal/chromatest"
)

const (
	chromaDimension = 384
	chromaBatch     = 3000
	chromaUpload    = 300         // records of an upload between two backups
	chromaRecord    = 11_600      // bytes that a record takes, with its share of the indexes
	chromaName      = "documents" // the collection
)

// makeChroma lets a real server write a directory of about size bytes. Every
// upload makes the server write its index to disk, which touches pages all over
// the index: by default only some uploads would.
func makeChroma(ctx context.Context, path string, size int64) error {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	records := max(int(size/chromaRecord/chromaUpload), 1) * chromaUpload
	if err := serve(ctx, path, func(client *chromatest.Client) error {
		collection, err := client.Create(ctx, chromatest.CollectionSpec{Name: chromaName, SyncThreshold: chromaUpload})
		if err != nil {
			return err
		}
		return upload(ctx, client, collection.ID, 0, records)
	}); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(path, "chroma.sqlite3")); err != nil {
		return fmt.Errorf("the server left no database: %w", err)
	}
	return nil
}

// changeChroma starts the server again and uploads some more records.
func changeChroma(ctx context.Context, path string, round int) error {
	return serve(ctx, path, func(client *chromatest.Client) error {
		collection, err := client.Collection(ctx, chromaName)
		if err != nil {
			return err
		}
		return upload(ctx, client, collection.ID, round<<24, chromaUpload)
	})
}

// serve runs a server on the directory while do works.
func serve(ctx context.Context, path string, do func(*chromatest.Client) error) (err error) {
	server, err := chromatest.Launch(ctx, chromatest.New, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	client := server.Client()
	defer client.Close()
	return do(client)
}

// upload adds n records numbered from first.
func upload(ctx context.Context, client *chromatest.Client, collection string, first, n int) error {
	rnd := rand.NewChaCha8([32]byte{'c', 'h', 'r', 'o', 'm', 'a', byte(first >> 24)})
	for done := 0; done < n; done += chromaBatch {
		records := make([]chromatest.Record, min(chromaBatch, n-done))
		for i := range records {
			records[i] = document(rnd, first+done+i)
		}
		if err := client.Add(ctx, collection, records); err != nil {
			return err
		}
	}
	return nil
}

// document makes one record with 1 KB of text and a random direction.
func document(rnd *rand.ChaCha8, i int) chromatest.Record {
	body := text(rnd, 1000)
	vector := make([]float32, chromaDimension)
	for d := range vector {
		vector[d] = float32(int64(rnd.Uint64())) / (1 << 63)
	}
	return chromatest.Record{
		ID: fmt.Sprintf("doc-%09d", i), Document: &body, Embedding: vector,
		Metadata: map[string]any{"page": i % 40, "file": fmt.Sprintf("report-%d.pdf", i/40)},
	}
}
