// Command testbot is a bot as its author would write it, with the public package
// boot and nothing else of holdfast. The tests of the folder above build it, kill
// it and take its disk away.
//
// It writes numbered rows and says on stdout, a line each, what a test has to
// know: "started", "ack RUN WRITER N TIME" once a row is committed, "status JSON"
// whenever something in it changes, and the answers to the commands that it reads
// on stdin (commands.go).
package main

import (
	"bufio"
	"context"
	"embed"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast/boot"
)

//go:embed migrations
var migrations embed.FS

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// A bot is the running program.
type bot struct {
	store *boot.Store
	out   *lines
	run   int // of all starts that one test makes

	writers int // begun so far
	writing sync.WaitGroup
	stop    context.CancelFunc
}

func run() error {
	o := boot.Options{Migrations: migrations, Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	b := &bot{out: &lines{w: os.Stdout}, stop: func() {}}
	flag.StringVar(&o.Database, "database", "", "path of the database")
	flag.StringVar(&o.Mirror, "mirror", "", "file that holds the newest backup")
	flag.StringVar(&o.Repository, "repository", "", "where the backups go")
	flag.DurationVar(&o.Every, "every", boot.Never, "interval of the backups")
	flag.DurationVar(&o.OnChange, "on-change", 0, "the longest that a change goes without a backup")
	flag.DurationVar(&o.ShutdownTimeout, "shutdown-timeout", 0, "limit of the end")
	folder := flag.String("migrations", "one", "version of the bot: a folder of migrations")
	stays := flag.Bool("stays", false, "never close the store")
	flag.IntVar(&b.run, "run", 1, "number of this start")
	writers := flag.Int("writers", 0, "how many write from the start on")
	flag.Parse()
	o.MigrationsDir = "migrations/" + *folder

	b.out.say("starting")
	store, err := boot.Start(context.Background(), o)
	if err != nil {
		return err
	}
	b.store = store
	b.out.say("started")
	go b.tellStatus()
	b.write(*writers)
	go b.serve(os.Stdin)
	<-store.Context().Done()
	if *stays {
		select {} // the store ends the program
	}
	b.stop()
	b.writing.Wait()
	err = store.Close()
	b.out.status(store.Status())
	return err
}

// lines are what the bot says. Each is written at once.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lines) say(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.w, format+"\n", args...)
}

func (l *lines) status(st boot.Status) {
	data, err := json.Marshal(st)
	if err != nil {
		l.say("broken %v", err)
		return
	}
	l.say("status %s", data)
}

// statusEvery is how often the bot looks at its status.
const statusEvery = 25 * time.Millisecond

// tellStatus says the status whenever it says something else.
func (b *bot) tellStatus() {
	var last string
	for {
		st := b.store.Status()
		told := st
		told.At, told.Tasks = told.Started, nil // these always change
		if data, err := json.Marshal(told); err != nil || string(data) != last {
			last = string(data)
			b.out.status(st)
		}
		time.Sleep(statusEvery)
	}
}

// serve carries out what is read from in. Its end is no reason to end.
func (b *bot) serve(in io.Reader) {
	for scanner := bufio.NewScanner(in); scanner.Scan(); {
		b.command(scanner.Text())
	}
}
