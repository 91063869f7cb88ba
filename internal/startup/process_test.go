package startup_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/startup"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

// helperRoot names the world in which a process of this test only prepares.
const helperRoot = "HOLDFAST_TEST_PREPARE"

func TestMain(m *testing.M) {
	root := os.Getenv(helperRoot)
	if root == "" {
		os.Exit(m.Run())
	}
	s, err := sqlite.New("bot", filepath.Join(root, "data", "bot_database.db"), sqlite.Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	d, err := startup.Prepare(context.Background(), startup.Options{
		Source: s, StateDir: filepath.Join(root, "state"), Wait: 30 * time.Second,
		Engine: func(ctx context.Context) (*engine.Engine, error) {
			r, err := openRepo(ctx, filepath.Join(root, "backups"))
			if err != nil {
				return nil, err
			}
			return engine.New(engine.Options{Repository: r, Sources: []holdfast.Source{s}, StateDir: filepath.Join(root, "state"), Settings: engine.Settings{EmergencyBackup: true}})
		},
	})
	fmt.Println(d.Action, d.Reason, err)
}

func helper(root string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperRoot+"="+root)
	return cmd
}

// Of several processes that start at once one restores; the others find it.
func TestPrepare_SeveralAtOnce(t *testing.T) {
	w := newWorld(t)
	w.fill(500)
	w.backup()
	harms := []func(){w.wipe, func() { write(t, w.database, make([]byte, 9000)) }}
	for round, harm := range append(harms, harms...) {
		harm()
		var outs [4]strings.Builder
		var cmds []*exec.Cmd
		for i := range outs {
			cmd := helper(w.root)
			cmd.Stdout, cmd.Stderr = &outs[i], &outs[i]
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			cmds = append(cmds, cmd)
		}
		actions := map[string]int{}
		for i, cmd := range cmds {
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v: %s", err, outs[i].String())
			}
			action, _, _ := strings.Cut(outs[i].String(), " ")
			actions[action]++
		}
		if actions["restored"] != 1 || actions["kept"] != 3 {
			t.Errorf("round %d: %v", round, actions)
			for i := range outs {
				t.Log(outs[i].String())
			}
		}
		if w.notes() != "500" {
			t.Errorf("round %d: the notes are not there", round)
		}
		w.tidy()
	}
}

// A process that is killed while it restores leaves something that the next start
// makes whole.
func TestPrepare_KilledWhileRestoring(t *testing.T) {
	w := newWorld(t)
	w.fill(20000)
	w.backup()
	for round := range 8 {
		w.wipe()
		cmd := helper(w.root)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(10+8*round) * time.Millisecond)
		cmd.Process.Kill()
		_ = cmd.Wait() // it reports the kill, or has ended
		d := w.prepare()
		if d.Action != holdfast.StartRestored && d.Action != holdfast.StartKept {
			t.Fatalf("round %d: %+v", round, d)
		}
		if got := w.notes(); got != "20000" {
			t.Fatalf("round %d: %s notes: %+v", round, got, d)
		}
	}
}

// Another writer holds the repository for a while: it is waited for.
func TestPrepare_WaitsForTheRepository(t *testing.T) {
	w := newWorld(t)
	w.fill(10)
	w.backup()
	w.wipe()
	r, err := openRepo(t.Context(), w.repoDir)
	if err != nil {
		t.Fatal(err)
	}
	lease, err := r.Lock(t.Context(), "backup")
	if err != nil {
		t.Fatal(err)
	}
	w.opts.Wait = 300 * time.Millisecond
	d, err := startup.Prepare(t.Context(), w.opts)
	if !errors.Is(err, startup.ErrOutOfReach) || d.Action != holdfast.StartFailed {
		t.Fatalf("got %+v, %v", d, err)
	}
	wantWords(t, d.Reason, "in use by process")
	w.opts.Wait = 30 * time.Second
	done := make(chan error)
	go func() {
		time.Sleep(200 * time.Millisecond)
		done <- lease.Release()
	}()
	if d := w.prepare(); d.Action != holdfast.StartRestored {
		t.Errorf("got %+v", d)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A database that another process keeps open is not replaced under it.
func TestPrepare_RefusesToReplaceWhatIsOpen(t *testing.T) {
	for _, mirror := range []bool{false, true} {
		w := newWorld(t)
		w.fill(10)
		if mirror {
			w.mirrored("7", time.Now())
		} else {
			w.backup()
		}
		write(t, w.database, make([]byte, 9000))
		cmd := exec.Command("sleep", "30")
		f, err := os.Open(w.database)
		if err != nil {
			t.Fatal(err)
		}
		cmd.ExtraFiles = []*os.File{f}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		f.Close()
		d, err := w.refuse(holdfast.ErrRefused)
		wantWords(t, err.Error(), "held open by process")
		wantWords(t, d.Reason, "was no database")
		cmd.Process.Kill()
		_ = cmd.Wait() // it reports the kill
	}
}
