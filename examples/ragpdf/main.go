// Command ragpdf is a small assistant that answers questions from PDFs, in Thai,
// English or any other language, and whose data holdfast keeps. It shows all that an
// assistant needs for that:
//
//	backup.go   the call before an upload and before anything is deleted: copy it
//	hooks.go    what a restore asks for: stop Chroma, start it, reload the collections
//	answer.go   a memory of the conversations, in a collection that holdfast knows
//
// The rest is an ordinary assistant: pdf.go and chunk.go read, embed.go turns text
// into vectors without a model, chroma.go and server.go speak with Chroma,
// library.go keeps the documents, and web.go shows it all at http://127.0.0.1:8600.
// README.md tells how to try it; docs/rag.md tells the same for Python.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Options are what the flags say.
type options struct {
	listen, data                      string
	command, address                  string // of Chroma: one of both
	port                              int
	tenant, database                  string
	holdfast, tokenFile, without, pdf string
	uploadMB                          int64
}

func main() {
	var o options
	flag.StringVar(&o.listen, "listen", "127.0.0.1:8600", "the `address` of the pages; of this machine only, since they know no login")
	flag.StringVar(&o.data, "data", "data", "the `folder` of everything: chromadb and pdf")
	flag.StringVar(&o.command, "chroma-command", "chroma run --path {dir} --host 127.0.0.1 --port {port}", "the `command` that starts Chroma; words are separated by spaces")
	flag.IntVar(&o.port, "chroma-port", 8610, "the `port` of the Chroma that is started")
	flag.StringVar(&o.address, "chroma", "", "the `URL` of a Chroma that runs already, instead of starting one")
	flag.StringVar(&o.tenant, "chroma-tenant", "default_tenant", "the `tenant` in Chroma")
	flag.StringVar(&o.database, "chroma-database", "default_database", "the `database` in Chroma")
	flag.StringVar(&o.holdfast, "holdfast", "http://127.0.0.1:8484", "the `URL` of holdfast serve")
	flag.StringVar(&o.tokenFile, "holdfast-token-file", "", "a `file` with a token of the scope backup, where holdfast asks for one")
	flag.StringVar(&o.without, "without-backup", withoutNothing, "what goes on when there is no backup: `nothing`, uploads, everything")
	flag.StringVar(&o.pdf, "pdftotext", "pdftotext", "the `program` that reads PDFs, of poppler-utils")
	flag.Int64Var(&o.uploadMB, "max-upload-mb", 50, "how large a PDF may be, in `MB`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		log.Fatal(err)
	}
}

// check refuses what cannot be meant.
func (o options) check(mode string) error {
	host, _, err := net.SplitHostPort(o.listen)
	switch {
	case err != nil:
		return fmt.Errorf("--listen %s: %w", o.listen, err)
	case !loopback(host):
		return fmt.Errorf("--listen %s: the pages know no login, so they are shown on this machine only: 127.0.0.1:8600", o.listen)
	case mode != modeEnhanced && mode != modeStandard:
		return fmt.Errorf("RAG_MODE=%s: it is enhanced or standard", mode)
	case o.without != withoutNothing && o.without != withoutUploads && o.without != withoutEverything:
		return fmt.Errorf("--without-backup %s: it is nothing, uploads or everything", o.without)
	case o.address == "" && strings.TrimSpace(o.command) == "":
		return errors.New("name a Chroma: --chroma URL or --chroma-command COMMAND")
	}
	return nil
}

func run(ctx context.Context, o options) (err error) {
	mode := os.Getenv("RAG_MODE")
	if mode == "" {
		mode = modeEnhanced
	}
	if err := o.check(mode); err != nil {
		return err
	}
	a, header, err := newAssistant(o, mode)
	if err != nil {
		return err
	}
	if a.server != nil {
		defer func() { err = errors.Join(err, a.server.stop()); a.server.watches.Wait() }()
	}
	listener, err := net.Listen("tcp", o.listen) // first, so that no two of us start a Chroma
	if err != nil {
		return err
	}
	defer listener.Close()
	if err := a.begin(ctx); err != nil {
		return err
	}
	log.Printf("rag_mode %s, Chroma at %s: http://%s", mode, a.chroma.root, listener.Addr())
	return serve(ctx, listener, a.handler(header))
}

// newAssistant makes the folders and puts the parts together.
func newAssistant(o options, mode string) (*assistant, string, error) {
	data, err := filepath.Abs(o.data)
	if err != nil {
		return nil, "", err
	}
	a := &assistant{
		mode: mode, without: o.without, mostUpload: o.uploadMB << 20,
		pdfs: filepath.Join(data, "pdf"), incoming: filepath.Join(data, "incoming"),
		gate:     &gate{mark: filepath.Join(data, "restore.running")},
		holdfast: &holdfast{address: strings.TrimSuffix(o.holdfast, "/"), tokenFile: o.tokenFile, http: &http.Client{Timeout: backupTime + time.Minute}},
		pdf:      pdfReader{o.pdf},
	}
	chromadb := filepath.Join(data, "chromadb")
	if err := os.RemoveAll(a.incoming); err != nil { // uploads that were cut
		return nil, "", err
	}
	for _, folder := range []string{chromadb, a.pdfs, a.incoming} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, "", err
		}
	}
	header, err := hookHeader(data)
	if err != nil {
		return nil, "", err
	}
	address := o.address
	if address == "" {
		address = fmt.Sprintf("http://127.0.0.1:%d", o.port)
	}
	a.chroma = newChroma(address, o.tenant, o.database)
	if o.address == "" {
		a.server = &server{
			command: strings.Fields(o.command), dir: chromadb, folder: data, port: o.port,
			log: filepath.Join(data, "chroma-server.log"), alive: a.chroma.alive,
		}
	}
	return a, header, nil
}

// begin starts Chroma and makes the collections, unless a restore is under way that
// will do it.
func (a *assistant) begin(ctx context.Context) error {
	if a.server == nil {
		return a.reload(ctx)
	}
	if _, err := os.Stat(a.gate.mark); !errors.Is(err, fs.ErrNotExist) {
		a.gate.shut = true
		log.Print("Chroma was stopped for a restore and is not started: the start hook of holdfast.yaml starts it")
		return err
	}
	if err := a.server.start(ctx); err != nil {
		return err
	}
	return a.reload(ctx)
}

// serve answers until ctx ends.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 5 * time.Minute, IdleTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() {
		<-ctx.Done()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		ended <- server.Shutdown(ctx)
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-ended
}
