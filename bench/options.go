//go:build linux

package main

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// options are the flags of the program.
type options struct {
	run, data, tools choice
	size, chroma     int64
	runs             int
	backups, clients int           // of runAPI
	lasts            time.Duration // runAPI and runUI, in all
	requests         int           // of runProxy, on each way
	dir, holdfast    string
	write            bool
}

// What -run can name beside the steps of a course.
const (
	runContests = "contests"
	runLimits   = "limits"
	runStarts   = "starts"
	runAPI      = "api"
	runUI       = "ui"
	runProxy    = "proxy"
	runRequests = "requests"
	runLooks    = "looks"
)

// alone are those whose tables stand by themselves.
var alone = []string{runStarts, runAPI, runUI, runProxy, runRequests, runLooks}

func parseOptions(args []string) (options, error) {
	o := options{run: choice{of: []string{string(full), string(increment), string(unchanged), string(restore), runContests, runLimits, runStarts, runAPI, runUI, runProxy, runRequests, runLooks}}}
	o.data.of = []string{"database", "chroma", "bot"}
	o.size, o.chroma = 1<<30, 500<<20
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.Var(&o.run, "run", "measure only these, separated by commas: "+strings.Join(o.run.of, ", "))
	flags.Var(&o.data, "data", "measure only with these: "+strings.Join(o.data.of, ", "))
	flags.Var(&o.tools, "tools", "measure only these tools, holdfast and: simple, restic, borg, restic-raw, borg-raw, litestream")
	flags.Var((*size)(&o.size), "size", "size of the large database, and of what looks looks into")
	flags.Var((*size)(&o.chroma), "chroma-size", "size of the Chroma directory")
	flags.IntVar(&o.runs, "n", 3, "how often each command runs")
	flags.IntVar(&o.backups, "backups", 1000, "backups in the list, for api and ui")
	flags.IntVar(&o.clients, "clients", 100, "clients that ask for pages, for api")
	flags.DurationVar(&o.lasts, "last", time.Minute, "how long clients ask for pages, for api and ui")
	flags.IntVar(&o.requests, "requests", 3000, "requests on each way, for proxy")
	flags.StringVar(&o.dir, "dir", "", "work in a new folder here, on the disk that matters (default: the system's temporary folder)")
	flags.StringVar(&o.holdfast, "holdfast", "", "measure this program instead of building it")
	flags.BoolVar(&o.write, "write", false, "put the tables into docs/benchmarks.md")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("%q is no flag", flags.Arg(0))
	case o.runs < 1 || o.runs > 255:
		return o, fmt.Errorf("-n is %d; it goes from 1 to 255", o.runs)
	case o.backups < 1 || o.clients < 1 || o.lasts <= 0 || o.requests < 1:
		return o, fmt.Errorf("-backups, -clients, -last and -requests are more than nothing")
	case o.write && o.run.some() && !o.tables(): // their tables stand alone
	case o.write && (o.run.some() || o.data.some() || o.tools.some()):
		return o, fmt.Errorf("the tables of a part do not replace those of all: -write goes without -run, -data and -tools, or with -run and some of %s", strings.Join(alone, ", "))
	}
	if o.tools.some() {
		o.tools.names = append(o.tools.names, ours)
	}
	return o, nil
}

// tables tells whether anything is asked for but what stands alone.
func (o options) tables() bool {
	return !o.run.some() || slices.ContainsFunc(o.run.names, func(name string) bool { return !slices.Contains(alone, name) })
}

// A choice is some of the names in of, or any names if of is empty. Nothing
// chosen is everything.
type choice struct {
	of, names []string
}

// some tells whether there is a restriction.
func (c *choice) some() bool { return len(c.names) > 0 }

// has tells whether name is among the chosen.
func (c *choice) has(name string) bool { return !c.some() || slices.Contains(c.names, name) }

// String is what Set understands.
func (c *choice) String() string { return strings.Join(c.names, ",") }

// Set takes names separated by commas.
func (c *choice) Set(s string) error {
	for name := range strings.SplitSeq(s, ",") {
		if len(c.of) > 0 && !slices.Contains(c.of, name) {
			return fmt.Errorf("%q is none of %s", name, strings.Join(c.of, ", "))
		}
		c.names = append(c.names, name)
	}
	return nil
}

// A size is a number of bytes: 64MiB, 1GiB.
type size int64

var units = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}}

// String is what Set understands.
func (s *size) String() string { return sizeName(int64(*s)) }

// Set takes a whole number with a unit.
func (s *size) Set(text string) error {
	for _, u := range units {
		if digits, ok := strings.CutSuffix(text, u.name); ok {
			n, err := strconv.ParseInt(digits, 10, 64)
			if err != nil || n < 1 || n > 1<<20 {
				break
			}
			*s = size(n * u.bytes)
			return nil
		}
	}
	return fmt.Errorf("%q is no size like 64MiB or 1GiB", text)
}

// sizeName tells people a size.
func sizeName(n int64) string {
	for _, u := range units {
		if n >= u.bytes && n%u.bytes == 0 {
			return fmt.Sprintf("%d %s", n/u.bytes, u.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}
