//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/holdfast-backup/holdfast/internal/s3test"
)

// A storage is an S3 server that runs as long as it is needed.
type storage struct {
	url   string   // of a repository in it
	env   []string // the credentials
	cmd   *exec.Cmd
	input io.Closer
}

// serveS3 starts a child that runs an S3 server.
func (w *workshop) serveS3(ctx context.Context) (*storage, error) {
	dir := filepath.Join(w.dir, "s3")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	s := &storage{cmd: exec.CommandContext(ctx, w.self, "-make", "s3", dir), env: s3test.Environment()}
	s.cmd.Stderr = os.Stderr
	output, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if s.input, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	s.cmd.Cancel = s.input.Close // killed, it would leave its server behind
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("the S3 server: %w", errors.Join(err, s.stop()))
	}
	s.url = strings.TrimSpace(line)
	return s, nil
}

// stop ends the child and its server.
func (s *storage) stop() error { return errors.Join(s.input.Close(), s.cmd.Wait()) }

// runS3 is the child: it prints the address of a repository and serves until
// its input ends.
func runS3(ctx context.Context, dir string) (err error) {
	server, err := s3test.Launch(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	name, err := server.MakeBucket(ctx)
	if err != nil {
		return err
	}
	if _, err := fmt.Println(server.URL(name, "bot")); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
