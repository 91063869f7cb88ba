package rehearsal

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/content"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
	"github.com/holdfast-backup/holdfast/source/chroma/transfer"
)

// buildRate is how many requests a second a server gets that was started for nothing
// else.
const buildRate = 1e5

// Build makes the directory of a server out of a copy of any form: the command is started
// on the empty directory dir, takes the copy in by requests, and is stopped again. Then
// the directory is checked as one that was captured. Everything that the server took in
// has been read back from it.
func Build(ctx context.Context, copy fs.FS, dir, command string, progress func(done, total int64)) (problems []holdfast.Problem, err error) {
	c, err := content.Open(ctx, copy)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if problems, err = fill(ctx, c, dir, command, progress); err != nil {
		return problems, err
	}
	report, err := disk.Check(ctx, os.DirFS(dir), holdfast.CheckOptions{})
	return append(problems, report.Problems...), err
}

// fill has a server on dir take in a copy.
func fill(ctx context.Context, c content.Content, dir, command string, progress func(done, total int64)) (problems []holdfast.Problem, err error) {
	s, err := startServer(ctx, dir, command)
	if err != nil {
		return nil, notStarted(err)
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	client, err := api.New(api.Options{URL: s.address, Rate: buildRate, Patience: stopTime})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var tenants []string
	var total int64
	for _, col := range c.Collections() {
		total += col.Records
		if !slices.Contains(tenants, col.Tenant) {
			tenants = append(tenants, col.Tenant)
		}
	}
	b := &building{total: total, progress: progress, at: map[string]int64{}}
	result, err := transfer.Apply(ctx, transfer.Target{API: client, Tenants: tenants}, c, []holdfast.Part{{}}, holdfast.PartOptions{
		Stamp: time.Now().UTC().Format("20060102T150405"),
		Note:  func(json.RawMessage) error { return nil }, // a directory that was cut is thrown away
		// What the server cannot keep is told as incomplete; whoever puts the directory in
		// place decides.
		AcceptLosses: true,
		Progress:     b.tell,
	})
	return result.Problems, err
}

// A building sums how far the collections are.
type building struct {
	total    int64
	progress func(done, total int64)
	at       map[string]int64
}

func (b *building) tell(step holdfast.Step, table string, done, _ int64) {
	if b.progress == nil || step != holdfast.StepStage {
		return
	}
	b.at[table] = done
	var sum int64
	for _, n := range b.at {
		sum += n
	}
	b.progress(min(sum, b.total), b.total)
}

// notStarted says what to do about a command that starts no server.
func notStarted(err error) error {
	return &holdfast.Error{
		Op: "start a Chroma server on the copy", Err: err,
		Hint: `give a command that starts one, such as chroma run --path "$CHROMA_PATH" --host 127.0.0.1 --port "$CHROMA_PORT"; a server that is older than the one that wrote the data refuses it`,
	}
}
