package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite" // the scripts' databases

	"github.com/holdfast-backup/holdfast/internal/demo/fixture"
)

// TestMain lets scripts run the real command line, as processes of their own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"holdfast": holdfastMain,
		"sql":      sqlMain,
		"damage":   damageMain,
		"reformat": reformatMain,
		"chroma":   chromaMain,
	})
}

// holdfastMain is main, with a clock that a script can set.
func holdfastMain() {
	now := time.Now
	if fixed := os.Getenv("TEST_NOW"); fixed != "" {
		at, err := time.Parse(time.RFC3339, fixed)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		now = func() time.Time { return at }
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, cancel := Interruptible(context.Background(), signals, os.Exit)
	defer cancel()
	os.Exit(Main(ctx, System{
		Args: os.Args[1:], Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Now: now, Version: "test",
	}))
}

// sqlMain runs statements on a database and prints what they give:
// sql FILE STATEMENT…
func sqlMain() {
	db, err := sql.Open("sqlite", os.Args[1])
	if err == nil {
		err = runSQL(db, os.Args[2:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runSQL(db *sql.DB, statements []string) error {
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, s := range statements {
		rows, err := db.Query(s)
		if err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		for rows.Next() {
			values := make([]any, len(columns))
			for i := range values {
				values[i] = new(any)
			}
			if err := rows.Scan(values...); err != nil {
				return err
			}
			for i, v := range values {
				values[i] = fmt.Sprint(*v.(*any))
			}
			fmt.Println(values...)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if err := rows.Close(); err != nil {
			return err
		}
	}
	return db.Close()
}

// damageMain flips the byte at an offset, counted from the end if negative:
// damage FILE OFFSET
func damageMain() {
	data, err := os.ReadFile(os.Args[1])
	if err == nil {
		var at int
		if at, err = strconv.Atoi(os.Args[2]); err == nil {
			data[(at+len(data))%len(data)] ^= 0x40
			err = os.WriteFile(os.Args[1], data, 0o600)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// chromaMain makes a Chroma directory that a real server wrote: chroma DIR
func chromaMain() {
	if err := fixture.Unpack(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// reformatMain makes a file of the repository one of format 99, as a newer
// version would have written it: with a checksum that fits.
func reformatMain() {
	data, err := os.ReadFile(os.Args[1])
	if err == nil {
		const tail = "\"\n}\n"
		data = bytes.Replace(data, []byte(`"format": 1,`), []byte(`"format": 99,`), 1)
		open := data[:len(data)-2*sha256.Size-len(tail)]
		err = os.WriteFile(os.Args[1], fmt.Appendf(nil, "%s%x%s", open, sha256.Sum256(open), tail), 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "asother": asOther,
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("TZ", "Asia/Bangkok") // what is shown is UTC all the same
			return nil
		},
	})
}

// exits runs a command and asks for its exit code: exits 12 holdfast verify.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARGUMENT…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if e, ok := err.(interface{ ExitCode() int }); ok {
		got = e.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("%s ended with exit code %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// asOther is exits for a user who is not root, so that permissions count.
func asOther(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: asother CODE COMMAND [ARGUMENT…]")
	}
	if os.Geteuid() != 0 {
		exits(ts, false, args)
		return
	}
	program, err := os.Executable()
	ts.Check(err)
	copied := ts.MkAbs(filepath.Join("bin", args[1]))
	if _, err := os.Stat(copied); err != nil {
		ts.Check(os.MkdirAll(filepath.Dir(copied), 0o755))
		// By another process: a file that this one has open for writing could
		// be inherited by a script started meanwhile, and then not be run.
		ts.Check(exec.Command("cp", program, copied).Run())
	}
	for dir := ts.MkAbs("."); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		ts.Check(os.Chmod(dir, 0o777))
	}
	exits(ts, false, append([]string{args[0], "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", copied}, args[2:]...))
}
