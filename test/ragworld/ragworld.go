// Package ragworld installs examples/ragpdf for tests, with the newest Chroma server
// and the configuration of holdfast that lies beside it. Start from [Install].
package ragworld

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/chromatest"
)

// Handbook is a PDF with three pages in Thai and English, from the root of the module.
const Handbook = "examples/ragpdf/testdata/handbook.pdf"

// A World is a directory in which the assistant is installed.
type World struct {
	Dir      string
	Address  string   // where the assistant will answer
	Holdfast string   // the address at which it will ask for backups
	Command  []string // starts it, with its Chroma
}

// Install builds the assistant into dir, and writes holdfast.yaml there. The module is at
// root.
func Install(t testing.TB, root, dir string) World {
	t.Helper()
	w := World{Dir: dir, Address: "127.0.0.1:" + port(t), Holdfast: "127.0.0.1:" + port(t)}
	program := filepath.Join(dir, "ragpdf")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "github.com/holdfast-backup/holdfast/examples/ragpdf")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build ./examples/ragpdf: %v\n%s", err, out)
	}
	config, err := os.ReadFile(filepath.Join(root, "examples", "ragpdf", "holdfast.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	w.Configure(t, strings.ReplaceAll(string(config), "127.0.0.1:8600", w.Address))
	chroma, err := chromatest.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	command, err := chromatest.CommandLine(chromatest.New, "{dir}", chroma)
	if err != nil {
		t.Fatal(err)
	}
	w.Command = []string{
		program, "--listen", w.Address, "--chroma-port", strconv.Itoa(chroma), "--chroma-command", strings.Join(command, " "),
		"--holdfast", "http://" + w.Holdfast,
	}
	return w
}

// Configure writes holdfast.yaml.
func (w World) Configure(t testing.TB, config string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.Dir, "holdfast.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Chroma is the process of the Chroma server that the assistant has started, or 0.
func (w World) Chroma(t testing.TB) int {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		line, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(line, []byte("\x00--path\x00"+filepath.Join(w.Dir, "data", "chromadb")+"\x00")) {
			continue // it has ended meanwhile, or is another one
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
	return 0
}

// port is one at which nobody listens now.
func port(t testing.TB) string {
	t.Helper()
	number, err := chromatest.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(number)
}
