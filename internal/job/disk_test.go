package job

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable/crashfs"
)

// newDisk makes the directory of the options one of a disk that can fail.
func newDisk(t *testing.T, o *Options) *crashfs.Disk {
	t.Helper()
	root := filepath.Dir(filepath.Dir(o.Dir))
	disk, err := crashfs.New(root, crashfs.Never)
	if err != nil {
		t.Fatal(err)
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		t.Fatal(err)
	}
	o.Dir, o.FS = filepath.Join(root, "state", "jobs"), disk
	t.Cleanup(func() {
		if err := disk.Close(); err != nil {
			t.Error(err)
		}
	})
	return disk
}

func fullDisk(op, name string) error {
	if strings.Contains(name, "jobs") && (op == "create" || op == "write" || op == "mkdir") {
		return errors.New("no space left on device")
	}
	return nil
}

func TestStart_RefusesWhatCannotBeRecorded(t *testing.T) {
	var disk *crashfs.Disk
	w := newWorld(t, func(o *Options) { disk = newDisk(t, o) })
	w.SetRules(Rules{Essential: []string{"backup"}, Lanes: []Lane{{Kinds: []string{"restore"}, Most: 1, Refuse: true}}})
	disk.Inject(fullDisk)
	began := false
	_, _, err := w.Start("restore", "tester", "key", nil, func(context.Context, *Handle) (any, error) {
		began = true
		return nil, nil
	})
	if err == nil || began || !strings.Contains(err.Error(), "nothing was begun") || !strings.Contains(err.Error(), "no space left") || holdfast.HintOf(err) == "" {
		t.Fatalf("began %t: %v", began, err)
	}
	if jobs, _, _ := w.List(Filter{}, Page{}); len(jobs) != 0 {
		t.Errorf("there are %+v", jobs)
	}

	// A backup is made all the same, and says that it is not recorded.
	j := w.do("backup", quick)
	if j.State != Succeeded || len(j.Problems) != 1 || !strings.Contains(j.Problems[0].Message, "no space left") || string(j.Result) != `{"type":"done"}` {
		t.Errorf("the backup is %+v", j)
	}
	if events := w.all(j.ID, 0); len(events) != 2 || events[1].State != Succeeded {
		t.Errorf("its events are %+v", events)
	}

	// With room everything goes on, and what was not recorded is made up for.
	disk.Inject(nil)
	if j, existing, err := w.Start("restore", "tester", "key", nil, quick); err != nil || existing || w.end(j.ID).State != Succeeded {
		t.Errorf("with room: %+v, %t, %v", j, existing, err)
	}
	w.sweep()
	w.leave()
	if again, err := w.Get(j.ID); err != nil || again.State != Succeeded || len(again.Problems) != 0 || string(again.Result) != `{"type":"done"}` {
		t.Errorf("the next process reads %+v, %v", again, err)
	}
}

// A state directory that cannot even be read keeps nobody from a backup.
func TestOpen_WithoutADirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *Options) { o.Dir = filepath.Join(file, "jobs") })
	w.SetRules(Rules{Essential: []string{"backup"}})
	if _, _, err := w.Start("verify", "", "", nil, quick); err == nil {
		t.Error("a verification was begun")
	}
	if j := w.do("backup", quick); j.State != Succeeded || len(j.Problems) == 0 {
		t.Errorf("the backup is %+v", j)
	}
	if !strings.Contains(w.log.String(), "cannot be read") {
		t.Errorf("the log says\n%s", w.log)
	}
	_, err := Open(Options{})
	mustBe(t, err, holdfast.ErrUsage)
}

// Whenever a process is killed or the power is cut, a job that was promised is there
// afterwards, ended, and nothing crashes.
func TestRunner_EveryCut(t *testing.T) {
	for _, mode := range crashfs.Modes() {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			for n := 0; ; n++ {
				var disk *crashfs.Disk
				w := newWorld(t, func(o *Options) { disk = newDisk(t, o) })
				disk.CutAfter(n)
				promised, told := map[string]bool{}, map[string]State{}
				for range 2 {
					j, _, err := w.Start("verify", "tester", "", nil, func(ctx context.Context, h *Handle) (any, error) {
						h.SetBackup("monday")
						return chatty(4)(ctx, h)
					})
					if err != nil {
						continue
					}
					promised[j.ID] = true
					if j = w.end(j.ID); len(j.Problems) == 0 {
						told[j.ID] = j.State
					}
				}
				cut := disk.WasCut()
				closeNow(w.Runner)
				if err := disk.Reboot(mode); err != nil {
					t.Fatal(err)
				}
				w.open()
				if err := w.Settle(t.Context(), func(context.Context, Job) Verdict { return Verdict{Outcome: "looked"} }); err != nil {
					t.Fatal(err)
				}
				for id := range promised {
					j, err := w.Get(id)
					if err != nil || !j.State.Ended() {
						t.Fatalf("cut after %d: job %s is %+v, %v", n, id, j, err)
					}
					if want, ok := told[id]; ok && j.State != want {
						t.Fatalf("cut after %d: it was told to be %s and is %s", n, want, j.State)
					}
					events := w.all(id, 0)
					if numbers(t, events); events[len(events)-1].State != j.State {
						t.Fatalf("cut after %d: the events are %+v", n, events)
					}
				}
				closeNow(w.Runner)
				if !cut {
					return
				}
			}
		})
	}
}

// A model: whatever is started, cancelled, closed and reopened, each job that was
// promised is there, has ended once and for all in one state, and its key finds it.
func TestRunner_Model(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	w := newWorld(t)
	w.SetRules(Rules{Lanes: []Lane{{Kinds: []string{"drill"}, Most: 1}}})
	type known struct {
		key   string
		ended State
		free  chan struct{}
	}
	model := map[string]*known{}
	var ids []string
	for i := range 400 {
		var id string
		if len(ids) > 0 {
			id = ids[rnd.IntN(len(ids))]
		}
		switch op := rnd.IntN(10); {
		case op < 4 || id == "":
			free := make(chan struct{})
			key := ""
			if rnd.IntN(2) == 0 {
				key = "key-" + strconv.Itoa(i)
			}
			j, existing, err := w.Start([]string{"backup", "drill"}[rnd.IntN(2)], "tester", key, i, held(free))
			if err != nil || existing {
				t.Fatalf("seed %d: start %d: %t, %v", seed, i, existing, err)
			}
			model[j.ID] = &known{key: key, free: free}
			ids = append(ids, j.ID)
		case op < 6:
			if m := model[id]; m.free != nil {
				close(m.free)
				m.free = nil
			}
		case op < 8:
			if _, err := w.Cancel(id); err != nil {
				t.Fatalf("seed %d: cancel: %v", seed, err)
			}
		case op == 8:
			if m := model[id]; m.key != "" {
				request := -1
				_, _, err := w.Start("backup", "tester", m.key, request, quick)
				mustBe(t, err, holdfast.ErrRefused)
			}
		default:
			closeNow(w.Runner)
			w.open()
			w.SetRules(Rules{Lanes: []Lane{{Kinds: []string{"drill"}, Most: 1}}})
			if err := w.Settle(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			for id, m := range model {
				j, err := w.Get(id)
				if err != nil || !j.State.Ended() {
					t.Fatalf("seed %d: %s is %+v, %v", seed, id, j, err)
				}
				if m.ended != "" && m.ended != j.State {
					t.Fatalf("seed %d: %s was %s and is %s", seed, id, m.ended, j.State)
				}
				m.ended, m.free = j.State, nil
			}
			if _, _, total := w.List(Filter{}, Page{}); total != len(model) {
				t.Fatalf("seed %d: %d jobs, want %d", seed, total, len(model))
			}
		}
	}
}
