//go:build linux

package test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
)

// backups is for a longer run: go test ./test -run Hot -backups 500 -timeout 4h.
// The default is what every change has to survive.
var backups = flag.Int("backups", 32, "backups of Chroma servers under load, in all")

// Servers write, delete, query and persist while the real binary backs their
// directory up. Every backup is verified, restored, served by a fresh server
// and compared, record by record, with what had been acknowledged, and so is
// the memory in it; then it takes new records.
func TestChroma_HotBackupsHoldOneInstant(t *testing.T) {
	t.Parallel()
	modes := []string{"delete", "wal"}
	each := (*backups + 2*len(modes) - 1) / (2 * len(modes))
	for _, v := range chromatest.Versions() {
		for _, mode := range modes {
			t.Run(fmt.Sprintf("%s server, journal %s", v, mode), func(t *testing.T) {
				t.Parallel()
				hotBackups(t, v, mode, each)
			})
		}
	}
}

// hotMemory is the collection of the load that is backed up as memory, too.
const hotMemory = "load-cosine"

func hotBackups(t *testing.T, v chromatest.Version, mode string, n int) {
	m := newMachine(t)
	dir := chromatest.LiveDir(t, (v == chromatest.New) == (mode == "wal"))
	if mode == "wal" {
		chromatest.UseWAL(t, v, dir)
	}
	server := chromatest.Start(t, v, dir)
	load := chromatest.StartLoad(t, server, chromatest.LoadOptions{
		Churn: true, Preload: true, Records: 400, Dimension: 64, Batch: 6, SyncThreshold: 10,
	})
	load.Await(t, 20)

	var stalls []float64
	busy := 0
	for i := range n {
		after, requests := load.Now(), load.Requests()
		name := fmt.Sprintf("hot_%d", i)
		stalls = append(stalls, m.backUpHot(dir, name))
		before := load.Now()
		if load.Requests() > requests {
			busy++
		}
		m.checkHot(v, name, load, after, before)
		load.Await(t, load.Requests()+4) // at work again
	}
	load.Stop()
	if err := load.Failures(); err != nil {
		t.Errorf("the server refused what it should take: %v", err)
	}
	if busy < n/2 {
		t.Errorf("only during %d of %d backups was anything acknowledged: this was no load", busy, n)
	}
	slices.Sort(stalls)
	t.Logf("%d backups, none inconsistent; writer_stall_ms: lowest %.1f, median %.1f, highest %.1f; %d requests, %d conflicts of configuration",
		n, stalls[0], stalls[n/2], stalls[n-1], load.Requests(), load.Conflicts())
}

// backUpHot backs the directory up and tells for how long writers waited.
func (m *machine) backUpHot(dir, name string) (stall float64) {
	m.t.Helper()
	stdout, _ := m.must(0, "--chroma", "chromadb="+dir, "--memory-collection", hotMemory, "--repo", "backups", "--json", "backup", "--name", name)
	var made struct {
		Backup struct {
			Stall  float64 `json:"writer_stall_ms"`
			Memory bool    `json:"includes_memory"`
		}
		Problems []holdfast.Problem
	}
	if err := json.Unmarshal([]byte(stdout), &made); err != nil || !made.Backup.Memory || len(made.Problems) != 0 {
		m.t.Fatalf("%s: %v\n%s", name, err, stdout)
	}
	return made.Backup.Stall
}

// checkHot holds a backup to what the load knows; the load rests meanwhile.
func (m *machine) checkHot(v chromatest.Version, name string, load *chromatest.Load, after, before chromatest.Moment) {
	m.t.Helper()
	defer load.Rest()()
	m.must(0, "--repo", "backups", "verify", name)
	m.must(0, "--repo", "backups", "restore", name, "--to", name)
	look := func(c *chromatest.Client) error {
		return sameMemory(m.t.Context(), c, hotMemory, m.path(name))
	}
	if err := load.CheckCopy(m.t.Context(), v, m.path(name, "chromadb"), after, before, look); err != nil {
		m.t.Fatalf("%s: %v", name, err)
	}
	m.must(0, "--repo", "backups", "--yes", "delete", name)
	if err := os.RemoveAll(m.path(name)); err != nil {
		m.t.Fatal(err)
	}
}

// readMemories reads the memories.json of a restored or committed backup in dir.
func readMemories(dir string) ([]chromatest.Record, error) {
	f, err := os.Open(dir + "/" + holdfast.MemoriesFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d := json.NewDecoder(f)
	d.UseNumber()
	var got struct {
		IDs        []string
		Documents  []*string
		Metadatas  []map[string]any
		Embeddings [][]float32
	}
	if err := d.Decode(&got); err != nil {
		return nil, fmt.Errorf("%s: %w", holdfast.MemoriesFile, err)
	}
	n := len(got.IDs)
	if len(got.Documents) != n || len(got.Metadatas) != n || len(got.Embeddings) != n {
		return nil, fmt.Errorf("%s: %d ids, %d documents, %d metadatas, %d embeddings", holdfast.MemoriesFile, n, len(got.Documents), len(got.Metadatas), len(got.Embeddings))
	}
	records := make([]chromatest.Record, n)
	for i, id := range got.IDs {
		records[i] = chromatest.Record{ID: id, Document: got.Documents[i], Metadata: got.Metadatas[i], Embedding: got.Embeddings[i]}
	}
	return records, nil
}

// sameMemory compares the exported memory with the collection that a server
// serves from the same backup: the same records in the same order.
func sameMemory(ctx context.Context, c *chromatest.Client, collection, dir string) error {
	memories, err := readMemories(dir)
	if err != nil {
		return err
	}
	served, err := c.Collection(ctx, collection)
	if err != nil {
		return err
	}
	records, err := c.Get(ctx, served.ID, nil)
	if err != nil {
		return err
	}
	if err := sameRecords(memories, records); err != nil {
		return fmt.Errorf("memories.json and collection %s: %w", collection, err)
	}
	return nil
}

// sameRecords compares two lists of records, in their order.
func sameRecords(got, want []chromatest.Record) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d records, want %d", len(got), len(want))
	}
	for i := range got {
		if err := chromatest.Same(got[i], want[i]); err != nil {
			return err
		}
	}
	return nil
}
