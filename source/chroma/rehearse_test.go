package chroma_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma"
)

// questionsOf asks about a captured copy.
func questionsOf(t *testing.T, s stage, copied fs.FS) []byte {
	t.Helper()
	var q bytes.Buffer
	n, err := s.source(t).Questions(t.Context(), copied, &q)
	if err != nil || n == 0 {
		t.Fatalf("%d questions, %v", n, err)
	}
	return q.Bytes()
}

// restored writes a captured copy to a directory.
func restored(t *testing.T, copied fs.FS) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "restored here")
	if err := os.CopyFS(dir, copied); err != nil {
		t.Fatal(err)
	}
	return dir
}

// rehearse has the questions answered by the files and by a server.
func rehearse(t *testing.T, s stage, dir string, v chromatest.Version, q []byte) []holdfast.Comparison {
	t.Helper()
	src := s.source(t)
	var all []holdfast.Comparison
	for _, command := range []string{"", chromatest.ShellCommand(t, v)} {
		answers, err := src.Rehearse(t.Context(), dir, command, bytes.NewReader(q))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, answers...)
	}
	return all
}

// wantAll fails if an answer differs, or if a collection was not asked of.
func wantAll(t *testing.T, compared []holdfast.Comparison, collections int) {
	t.Helper()
	if len(compared) != 2*collections {
		t.Errorf("%d comparisons of %d collections, want one by the files and one by a server of each: %v", len(compared), collections, compared)
	}
	for _, c := range compared {
		if !c.OK {
			t.Errorf("a false alarm: %+v", c)
		}
	}
}

// servers are those that can serve what a server has written.
func servers(v chromatest.Version) []chromatest.Version {
	if v == chromatest.Old {
		return chromatest.Versions()
	}
	return []chromatest.Version{chromatest.New}
}

// What lies in a directory that is as awkward as they come is what a server answers:
// every space, vectors that are there more than once, zero, tiny and huge ones,
// records without a document, deleted, added again and changed, some of it only in
// the log, other databases.
func TestRehearse_NoFalseAlarm(t *testing.T) {
	t.Parallel()
	for _, v := range chromatest.Versions() {
		t.Run(string(v), func(t *testing.T) {
			s := newStage(t, v)
			collections := 3 + awkward(t, s)
			_, sink := s.capture(t)
			q := questionsOf(t, s, sink.FS())
			for _, by := range servers(v) {
				t.Run("answered by "+string(by), func(t *testing.T) {
					wantAll(t, rehearse(t, s, restored(t, sink.FS()), by, q), collections)
				})
			}
		})
	}
}

// awkward adds collections to a stage and tells how many.
func awkward(t *testing.T, s stage) (collections int) {
	t.Helper()
	server := chromatest.Start(t, s.version, s.dir)
	c, ctx := server.Client(), t.Context()
	defer c.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	made, err := http.Post(server.URL()+"/api/v2/tenants/default_tenant/databases", "application/json", strings.NewReader(`{"name":"other"}`))
	must(err)
	must(made.Body.Close())
	random := rand.New(rand.NewPCG(1, 2))
	for _, database := range []string{"default_database", "other"} {
		db := c.Database("default_tenant", database)
		for _, space := range []string{"cosine", "l2", "ip"} {
			collections++
			col, err := db.Create(ctx, chromatest.CollectionSpec{Name: "awkward." + space, Space: space, SyncThreshold: 25})
			must(err)
			record := func(i int) chromatest.Record {
				r := chromatest.Record{ID: fmt.Sprintf("ระเบียน \"%d\" /\\", i), Embedding: make([]float32, 8)}
				if i%3 > 0 {
					r.Document = new(fmt.Sprintf("سند %d\u0000 <&>\n", i))
					r.Metadata = map[string]any{"n": i, "half": float64(i) + 0.5, "whole": float64(i) * 1e20, "yes": i%2 == 0, "text": "a\"b"}
				}
				for d := range r.Embedding {
					switch i % 7 {
					case 0:
						r.Embedding[d] = 0.25 // the same in many
					case 1:
						r.Embedding[d] = float32(random.NormFloat64() * 1e6)
					case 2:
						r.Embedding[d] = float32(random.NormFloat64() * 1e-6)
					case 3:
						r.Embedding[d] = 0 // no direction at all
					default:
						r.Embedding[d] = float32(random.NormFloat64())
					}
				}
				return r
			}
			for i := 0; i < 120; i += 10 {
				var batch []chromatest.Record
				for k := range 10 {
					batch = append(batch, record(i+k))
				}
				must(db.Add(ctx, col.ID, batch))
			}
			must(db.Delete(ctx, col.ID, []string{record(4).ID, record(50).ID, record(119).ID}))
			changed := record(10)
			changed.Embedding, changed.Document = []float32{1, 2, 3, 4, 5, 6, 7, 8}, nil
			must(db.Update(ctx, col.ID, []chromatest.Record{changed}))
			must(db.Add(ctx, col.ID, []chromatest.Record{record(50), record(60)})) // new again, and left alone
			must(db.Upsert(ctx, col.ID, []chromatest.Record{record(200), record(7)}))
		}
	}
	must(server.Stop())
	return collections
}

// A copy whose index folder is of another moment passes every check of its
// structure, since the ids are the same; the answers give it away.
func TestRehearse_FindsAnIndexOfAnotherMoment(t *testing.T) {
	t.Parallel()
	for _, v := range chromatest.Versions() {
		for name, newer := range map[string]bool{"older": false, "newer": true} {
			t.Run(string(v)+" "+name, func(t *testing.T) {
				s := newStage(t, v)
				turn(t, s, 1)
				_, first := s.capture(t)
				turn(t, s, 2)
				_, second := s.capture(t)
				database, index := second.FS(), first.FS()
				if newer {
					database, index = index, database
				}
				q := questionsOf(t, s, database)
				dir := restored(t, database)
				wantAll(t, rehearse(t, s, restored(t, database), v, q), 4)
				folder := filepath.Base(s.folder(t, "turning"))
				planted, err := fs.Sub(index, folder)
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(os.RemoveAll(filepath.Join(dir, folder)), os.CopyFS(filepath.Join(dir, folder), planted)); err != nil {
					t.Fatal(err)
				}
				if problems := s.check(t, os.DirFS(dir)); len(problems) > 0 {
					t.Fatalf("the check finds it, so that it proves nothing of the answers: %v", problems)
				}
				compared := rehearse(t, s, dir, v, q)
				differ := slices.DeleteFunc(slices.Clone(compared), func(c holdfast.Comparison) bool { return c.OK })
				if len(compared) != 8 || len(differ) != 2 {
					t.Fatalf("%d of %d answers differ, want one by the files and one by the server: %+v", len(differ), len(compared), compared)
				}
				for _, c := range differ {
					if !strings.Contains(c.What, "collection turning") || !strings.Contains(c.Got, "another vector") || c.Source != "chromadb" {
						t.Errorf("the difference does not say what is wrong: %+v", c)
					}
				}
			})
		}
	}
}

// turn writes the same ids with other vectors, so often that the index is persisted
// with nothing left in the log.
func turn(t *testing.T, s stage, round int) {
	t.Helper()
	server := chromatest.Start(t, s.version, s.dir)
	c, ctx := server.Client(), t.Context()
	defer c.Close()
	col, err := c.Collection(ctx, "turning")
	if err != nil {
		if col, err = c.Create(ctx, chromatest.CollectionSpec{Name: "turning", Space: "cosine", SyncThreshold: threshold}); err != nil {
			t.Fatal(err)
		}
	}
	for first := 0; first < 2*threshold; first += threshold / 2 {
		records := makeNotes(first, threshold/2)
		for i := range records {
			for d := range records[i].Embedding {
				records[i].Embedding[d] = float32((first+i)*(d+1)%29)*float32(3-2*round) + float32(d)
			}
			records[i].Document = new("the same")
		}
		if err := c.Upsert(ctx, col.ID, records); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
}

// Whatever moment of a busy directory is captured, a fresh server answers as was
// recorded.
func TestRehearse_CopiesOfABusyDirectory(t *testing.T) {
	t.Parallel()
	for _, v := range chromatest.Versions() {
		t.Run(string(v), func(t *testing.T) {
			s := stage{v, chromatest.LiveDir(t, true)}
			server := chromatest.Start(t, v, s.dir)
			load := chromatest.StartLoad(t, server, chromatest.LoadOptions{SyncThreshold: 10})
			for round := range 3 {
				load.Await(t, (round+1)*60)
				_, sink := s.capture(t)
				q := questionsOf(t, s, sink.FS())
				for _, c := range rehearse(t, s, restored(t, sink.FS()), v, q) {
					if !c.OK {
						t.Errorf("copy %d: a false alarm: %+v", round, c)
					}
				}
			}
			load.Stop()
		})
	}
}

// plainQuestions are questions about a directory that needs no server.
func plainQuestions(t *testing.T) (src *chroma.Source, dir string, q []byte) {
	t.Helper()
	s := newStage(t, chromatest.Old)
	_, sink := s.capture(t)
	return s.source(t), restored(t, sink.FS()), questionsOf(t, s, sink.FS())
}

func TestRehearse_AServerThatDoesNotComeUp(t *testing.T) {
	t.Parallel()
	src, dir, q := plainQuestions(t)
	for name, c := range map[string]struct{ command, says string }{
		"missing": {"/nowhere/chroma run", "not found"},
		"fails":   {`echo "cannot open $CHROMA_PATH" >&2; exit 3`, "cannot open " + dir},
		"ends":    {`echo done`, "exit status 0"},
	} {
		t.Run(name, func(t *testing.T) {
			answers, err := src.Rehearse(t.Context(), dir, c.command, bytes.NewReader(q))
			if err == nil || len(answers) > 0 || !strings.Contains(err.Error(), c.says) || holdfast.HintOf(err) == "" {
				t.Errorf("answers %v, error %v (hint %q), want one that says %q", answers, err, holdfast.HintOf(err), c.says)
			}
			if errors.Is(err, holdfast.ErrDamaged) {
				t.Error("a server that is not there counts against the data")
			}
		})
	}
}

// A server that starts on everything but this copy tells of the copy; one that is too
// old for it tells nothing.
func TestRehearse_WhoseFaultItIs(t *testing.T) {
	t.Parallel()
	s := newStage(t, chromatest.New)
	_, sink := s.capture(t)
	q := questionsOf(t, s, sink.FS())
	dir := restored(t, sink.FS())
	picky := `[ ! -e "$CHROMA_PATH/chroma.sqlite3" ] || { echo "cannot read this"; exit 9; }; ` + chromatest.ShellCommand(t, chromatest.New)
	answers, err := s.source(t).Rehearse(t.Context(), dir, picky, bytes.NewReader(q))
	if err != nil || len(answers) != 1 || answers[0].OK || !strings.Contains(answers[0].Got, "cannot read this") {
		t.Errorf("the answers are %+v (%v), want one that tells of the copy", answers, err)
	}
	answers, err = s.source(t).Rehearse(t.Context(), dir, chromatest.ShellCommand(t, chromatest.Old), bytes.NewReader(q))
	if err == nil || len(answers) > 0 || !strings.Contains(holdfast.HintOf(err), "older") {
		t.Errorf("the answers of a server that is too old are %+v (%v)", answers, err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(dir), "empty-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}

// A server that ends whenever it is asked counts against the copy.
func TestRehearse_AServerThatEnds(t *testing.T) {
	t.Parallel()
	src, dir, q := plainQuestions(t)
	starts := filepath.Join(t.TempDir(), "starts")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	answers, err := src.Rehearse(t.Context(), dir, fmt.Sprintf("echo >>'%s'; %s=1 exec '%s'", starts, mortalServer, self), bytes.NewReader(q))
	if err != nil || len(answers) != 1 || answers[0].OK || !strings.Contains(answers[0].Got, "the server ended: cannot stand it") {
		t.Errorf("the answers are %+v (%v), want one that says so", answers, err)
	}
	if n, err := os.ReadFile(starts); err != nil || len(n) != 2 {
		t.Errorf("it was started %d times (%v), want a second chance", len(n), err)
	}
}

// mortalServer, in the environment, makes the test binary a server that answers a
// heartbeat and dies of everything else.
const mortalServer = "HOLDFAST_TEST_MORTAL_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(mortalServer) == "" {
		os.Exit(m.Run())
	}
	err := http.ListenAndServe("127.0.0.1:"+os.Getenv("CHROMA_PORT"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/heartbeat") {
			fmt.Fprintln(os.Stderr, "cannot stand it")
			os.Exit(1)
		}
		fmt.Fprint(w, `{"nanosecond heartbeat":1}`)
	}))
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// A cancelled rehearsal leaves nothing running, whatever the command started and
// whatever it heeds.
func TestRehearse_CancelledLeavesNothingRunning(t *testing.T) {
	t.Parallel()
	src, dir, q := plainQuestions(t)
	pid := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		defer cancel()
		for ctx.Err() == nil {
			if _, err := os.Stat(pid); err == nil {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	command := fmt.Sprintf(`(trap "" INT; sleep 600 & echo $! > '%s.tmp'; mv '%s.tmp' '%s'; wait) & wait`, pid, pid, pid)
	if _, err := src.Rehearse(ctx, dir, command, bytes.NewReader(q)); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want that it was cancelled", err)
	}
	left, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	// What nobody has collected yet is dead all the same.
	state, _ := exec.Command("ps", "-o", "stat=", "-p", strings.TrimSpace(string(left))).Output()
	if text := strings.TrimSpace(string(state)); text != "" && text[0] != 'Z' {
		t.Errorf("process %s still runs: %s", left, text)
	}
}

func TestRehearse_QuestionsOfAnotherVersion(t *testing.T) {
	t.Parallel()
	src, dir, _ := plainQuestions(t)
	for _, q := range []string{`{"format":2}`, `{"format":1,"collections":[{"records":[{"vector":"!"}]}]}`, `nonsense`} {
		if _, err := src.Rehearse(t.Context(), dir, "", strings.NewReader(q)); err == nil {
			t.Errorf("%s is taken for questions", q)
		}
	}
}
