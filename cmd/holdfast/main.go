// Command holdfast keeps the state of small AI applications and bots safe.
// Everything it does is in package cli and below.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/holdfast-backup/holdfast/internal/cli"
)

// version is set by the release build.
var version = "dev"

// memoryLimit lets the garbage collector work harder before the process grows
// beyond what a small machine can spare; GOMEMLIMIT overrides it.
const memoryLimit = 64 << 20

func main() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, cancel := cli.Interruptible(context.Background(), signals, os.Exit)
	code := cli.Main(ctx, cli.System{
		Args: os.Args[1:], Environ: os.Environ(),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Now: time.Now, Version: version,
	})
	cancel()
	os.Exit(code)
}
