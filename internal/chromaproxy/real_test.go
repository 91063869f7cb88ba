package chromaproxy

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/chromatest"
)

// TestProxy_ProtectsARealServer works with real servers through the proxy, whose
// backups are a look at what the server holds at that moment.
func TestProxy_ProtectsARealServer(t *testing.T) {
	for _, version := range chromatest.Versions() {
		t.Run(string(version), func(t *testing.T) {
			t.Parallel()
			server := chromatest.Start(t, version, t.TempDir())
			direct := server.Client()
			defer direct.Close()
			var mu sync.Mutex
			var held []int // records of all collections, at each backup
			s := newStage(t, server.URL(), func(o *Options) {
				o.Backup = func(ctx context.Context, _ string) error {
					all, err := direct.Collections(ctx)
					if err != nil {
						return err
					}
					sum := 0
					for _, c := range all {
						n, err := direct.Count(ctx, c.ID)
						if err != nil {
							return err
						}
						sum += n
					}
					mu.Lock()
					defer mu.Unlock()
					held = append(held, sum)
					return nil
				}
			})
			backups := func(want ...int) {
				t.Helper()
				mu.Lock()
				defer mu.Unlock()
				if fmt.Sprint(held) != fmt.Sprint(want) {
					t.Fatalf("backups held %v records, want %v", held, want)
				}
			}
			client := chromatest.NewClient(s.front.URL)
			defer client.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			must(client.Heartbeat(ctx))
			_, err := client.Collections(ctx)
			must(err)
			backups() // reading makes none

			memory, err := client.Create(ctx, chromatest.CollectionSpec{Name: "memory"})
			must(err)
			backups(0)
			var wg sync.WaitGroup
			for w := range 8 { // all at once, as an application uploads
				wg.Go(func() {
					var records []chromatest.Record
					for i := range 25 {
						records = append(records, chromatest.Record{ID: fmt.Sprintf("%d-%d", w, i), Embedding: []float32{float32(w), float32(i), 1}, Document: new("text")})
					}
					if err := client.Add(ctx, memory.ID, records); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			must(client.Delete(ctx, memory.ID, []string{"0-0", "0-1"}))
			n, err := client.Count(ctx, memory.ID)
			must(err)
			ids, err := client.Query(ctx, memory.ID, []float32{7, 24, 1}, 1)
			must(err)
			got, err := client.Get(ctx, memory.ID, ids)
			must(err)
			if n != 198 || len(got) != 1 || got[0].ID != "7-24" {
				t.Errorf("%d records, found %+v", n, got)
			}
			backups(0) // it is one burst

			must(client.Drop(ctx, "memory"))
			backups(0, 198)
			other, err := client.Create(ctx, chromatest.CollectionSpec{Name: "other"})
			must(err)
			must(client.Add(ctx, other.ID, []chromatest.Record{{ID: "a", Embedding: []float32{1, 2, 3}}}))
			must(client.Drop(ctx, "other"))
			backups(0, 198, 1)

			// A server that is gone is told, and nothing waits for ever.
			must(server.Stop())
			if err := client.Heartbeat(ctx); err == nil {
				t.Error("a server that is gone answered")
			}
			if err := client.Drop(ctx, "other"); err == nil {
				t.Error("it deleted in a server that is gone")
			}
		})
	}
}
