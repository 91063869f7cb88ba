// Package s3test runs a real S3 server for tests, installed by
// test/servers/s3.sh, and puts faults between it and its clients.
//
// Start from [Start], which gives a running [Server]; [Server.NewBucket] makes
// an empty bucket and gives its URL; [NewProxy] stands before the server and
// does to requests what a [Rule] says.
//
// A test whose server is not installed fails; none is skipped.
package s3test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/holdfast-backup/holdfast/internal/testserver"
)

// The credentials of every server, which Start also puts into the environment.
const (
	AccessKey = "holdfast-test"
	SecretKey = "holdfast-test-secret"
	Region    = "us-east-1"
)

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 20 * time.Second
)

// A Server is a running S3 server on a directory of its own.
type Server struct {
	addr   string
	dir    string
	cmd    *exec.Cmd
	output testserver.Output
	ended  chan struct{} // closed when the process has ended

	mu      sync.Mutex
	buckets int
}

// Environment leads the usual chain of credentials to the keys of a server.
func Environment() []string {
	return []string{"AWS_ACCESS_KEY_ID=" + AccessKey, "AWS_SECRET_ACCESS_KEY=" + SecretKey, "AWS_REGION=" + Region}
}

// Start starts a server that lives as long as the test, and sets the
// Environment of this process.
func Start(t *testing.T) *Server {
	t.Helper()
	for _, v := range Environment() {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	return Serve(t)
}

// Serve starts a server that lives as long as the test. Tests that run side by
// side give the Environment to the processes that they start.
func Serve(t *testing.T) *Server {
	t.Helper()
	s, err := Launch(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Launch starts a server on dir for a program that is no test. It ends with Stop.
func Launch(ctx context.Context, dir string) (*Server, error) {
	program, err := locate()
	if err != nil {
		return nil, err
	}
	// The port is free when it is looked for; somebody else may take it
	// before the server does.
	var last error
	for range 3 {
		s, err := launchOn(ctx, program, dir)
		if err == nil {
			return s, nil
		}
		last = err
	}
	return nil, last
}

func launchOn(ctx context.Context, program, dir string) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	s := &Server{
		addr:  addr,
		dir:   dir,
		cmd:   exec.Command(program, "--port", addr, "--quiet", "posix", dir),
		ended: make(chan struct{}),
	}
	s.cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+AccessKey, "ROOT_SECRET_KEY="+SecretKey)
	s.cmd.Dir = dir
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the S3 server: %w", err)
	}
	go func() {
		defer close(s.ended)
		_ = s.cmd.Wait() // that it ended is said by ended
	}()
	if err := s.await(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// await returns when the server answers.
func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	client, err := s.client()
	if err != nil {
		return err
	}
	for {
		_, err := client.ListBuckets(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("the S3 server ended at once: %s", &s.output)
		case <-ctx.Done():
			return fmt.Errorf("the S3 server does not answer: %w: %s", err, &s.output)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop ends a server that Launch started.
func (s *Server) Stop() error {
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop the S3 server: %w", err)
	}
	select {
	case <-s.ended:
		return nil
	case <-time.After(stopTimeout):
		return errors.New("the S3 server does not end")
	}
}

func (s *Server) client() (*minio.Client, error) {
	return minio.New(s.addr, &minio.Options{
		Creds:      credentials.NewStaticV4(AccessKey, SecretKey, ""),
		Region:     Region,
		MaxRetries: 1,
	})
}

// Addr is where the server listens: host and port.
func (s *Server) Addr() string { return s.addr }

// Client gives a plain client, to look at a bucket or to damage it.
func (s *Server) Client(t *testing.T) *minio.Core {
	t.Helper()
	c, err := s.client()
	if err != nil {
		t.Fatal(err)
	}
	return &minio.Core{Client: c}
}

// NewBucket makes an empty bucket and gives its name.
func (s *Server) NewBucket(t *testing.T) string {
	t.Helper()
	return s.makeBucket(t, minio.MakeBucketOptions{Region: Region})
}

// MakeBucket is NewBucket for a program that is no test.
func (s *Server) MakeBucket(ctx context.Context) (string, error) {
	return s.newBucket(ctx, minio.MakeBucketOptions{Region: Region})
}

// NewLockBucket makes an empty bucket whose objects can have a retention.
func (s *Server) NewLockBucket(t *testing.T) string {
	t.Helper()
	return s.makeBucket(t, minio.MakeBucketOptions{Region: Region, ObjectLocking: true})
}

func (s *Server) makeBucket(t *testing.T, o minio.MakeBucketOptions) string {
	t.Helper()
	name, err := s.newBucket(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func (s *Server) newBucket(ctx context.Context, o minio.MakeBucketOptions) (string, error) {
	s.mu.Lock()
	s.buckets++
	name := fmt.Sprintf("bucket-%d", s.buckets)
	s.mu.Unlock()
	client, err := s.client()
	if err != nil {
		return "", err
	}
	if err := client.MakeBucket(ctx, name, o); err != nil {
		return "", fmt.Errorf("make a bucket: %w: %s", err, &s.output)
	}
	return name, nil
}

// Age makes an object look older to the server's clock.
func (s *Server) Age(t *testing.T, bucketName, key string, by time.Duration) {
	t.Helper()
	path := filepath.Join(s.dir, bucketName, filepath.FromSlash(key))
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	old := info.ModTime().Add(-by)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
}

// URL gives the address of a prefix in a bucket as holdfast takes it. More are
// further parameters, as "name=value".
func (s *Server) URL(bucketName, prefix string, more ...string) string {
	return URL(s.addr, bucketName, prefix, more...)
}

// URL is Server.URL for whatever listens at addr, such as a Proxy.
func URL(addr, bucketName, prefix string, more ...string) string {
	parameters := append([]string{"endpoint=http://" + addr, "region=" + Region, "path_style=true"}, more...)
	return "s3://" + bucketName + "/" + prefix + "?" + strings.Join(parameters, "&")
}

// locate gives the program that test/servers/s3.sh has installed.
func locate() (string, error) {
	cache, err := testserver.Dir()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(cache, "s3", "ready")); err != nil {
		return "", fmt.Errorf("the S3 server is not installed in %s: run ./test.sh, which installs it", cache)
	}
	return filepath.Join(cache, "s3", "versitygw"), nil
}
