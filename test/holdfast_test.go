//go:build linux

// Package test holds the end-to-end tests: the real binary, real processes,
// real signals, real file systems. Tests of one package's own promises are
// beside that package. They need Linux: mounts, users, /proc.
package test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/s3test"
)

// binary is the program under test, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "holdfast-test-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		if err := os.Chmod(dir, 0o755); err != nil { // other users run it, too
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		binary = filepath.Join(dir, "holdfast")
		build := exec.Command("go", "build", "-o", binary, "../cmd/holdfast")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build ../cmd/holdfast: %v\n%s", err, out)
			return 1
		}
		if err := errors.Join(overlap(), credentials()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// overlap lets more tests run at once than there are processors, unless the
// caller asked for a number: these tests mostly wait for other processes.
func overlap() error {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "test.parallel" })
	if asked {
		return nil
	}
	return flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0)))
}

// credentials lets a daemon that lives in this process reach the S3 servers of the
// tests; commands get an environment of their own.
func credentials() error {
	var errs []error
	for _, v := range s3test.Environment() {
		name, value, _ := strings.Cut(v, "=")
		errs = append(errs, os.Setenv(name, value))
	}
	return errors.Join(errs...)
}

// A machine is a directory in which the binary runs as a person would run it.
type machine struct {
	t   *testing.T
	dir string
	env []string
}

func newMachine(t *testing.T) *machine {
	return &machine{t: t, dir: t.TempDir()}
}

func (m *machine) path(elem ...string) string {
	return filepath.Join(append([]string{m.dir}, elem...)...)
}

func (m *machine) command(args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	m.t.Cleanup(cancel)
	c := exec.CommandContext(ctx, binary, args...)
	c.Dir = m.dir
	c.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + m.dir, "TMPDIR=" + os.TempDir()}, m.env...)
	return c
}

// secrets are what no command may ever print: the keys and passphrases of these
// tests.
var secrets = []string{s3test.SecretKey, passphrase, wrongSecret, chromaToken, "AGE-SECRET-KEY-1"}

const (
	passphrase  = "correct horse battery staple 41"
	wrongSecret = "hunter2"
	chromaToken = "ck-4711-sesame"
)

// run runs holdfast and gives its exit code, stdout and stderr.
func (m *machine) run(args ...string) (code int, stdout, stderr string) {
	m.t.Helper()
	var out, errs bytes.Buffer
	c := m.command(args...)
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	for _, secret := range secrets {
		if strings.Contains(out.String(), secret) || strings.Contains(errs.String(), secret) {
			m.t.Errorf("holdfast %q tells a secret:\n%s%s", args, &out, &errs)
		}
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), out.String(), errs.String()
	}
	if err != nil {
		m.t.Fatalf("holdfast %q: %v", args, err)
	}
	return 0, out.String(), errs.String()
}

// must runs holdfast and fails the test unless it exits with want.
func (m *machine) must(want int, args ...string) (stdout, stderr string) {
	m.t.Helper()
	code, stdout, stderr := m.run(args...)
	if code != want {
		m.t.Fatalf("holdfast %q: exit %d, want %d\nstdout:\n%s\nstderr:\n%s", args, code, want, stdout, stderr)
	}
	return stdout, stderr
}

// sqlite runs statements in a C sqlite3 process.
func (m *machine) sqlite(db, statements string) string {
	m.t.Helper()
	out, err := exec.Command("sqlite3", m.path(db), statements).CombinedOutput()
	if err != nil {
		m.t.Fatalf("sqlite3 %s: %v\n%s(./test.sh installs sqlite3)", db, err, out)
	}
	return string(bytes.TrimSpace(out))
}

// sum is the SHA-256 of a file's content.
func (m *machine) sum(name string) string {
	m.t.Helper()
	f, err := os.Open(m.path(name))
	if err != nil {
		m.t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		m.t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}
