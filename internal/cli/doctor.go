package cli

import (
	"context"
	"os"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/report"
)

type doctorCmd struct{}

func (doctorCmd) about() about {
	return about{
		text: `Checks the configuration, the repository (can it be locked and written, is there
space, what file system is it, is it that of the data), each replica, each source (can it be
opened and read, what journal does it keep), the locks of databases, what crashes
left behind, the keys of encryption, the bot of the panel, the hooks and the clock. Each check
says ok, warn or fail, and what to do. Exit status 3 if anything failed.`,
		examples: []example{{"holdfast doctor", "before the first backup, and when something is odd"}},
		exits:    []int{holdfast.ExitIncomplete},
	}
}

// The outcomes of a check.
const (
	checkOK   = "ok"
	checkWarn = "warn"
	checkFail = "fail"
)

// doctorObject is the outcome of doctor.
type doctorObject struct {
	Type     string      `json:"type"` // doctor
	OK       bool        `json:"ok"`
	Failed   int         `json:"failed"`
	Warnings int         `json:"warnings"`
	Checks   []checkItem `json:"checks"`
}

// checkItem is one check.
type checkItem struct {
	Check   string `json:"check"`
	Object  string `json:"object,omitempty"`
	Status  string `json:"status"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// examination collects the checks.
type examination struct {
	ctx context.Context
	a   *app
	cfg *config.Config
	out doctorObject
}

func (x *examination) add(check, object, status, hint, message string) {
	switch status {
	case checkWarn:
		x.out.Warnings++
	case checkFail:
		x.out.Failed++
	}
	x.out.Checks = append(x.out.Checks, checkItem{Check: check, Object: object, Status: status, Message: message, Hint: hint})
}

// failed notes an error as a failed check.
func (x *examination) failed(check, object string, err error) {
	x.add(check, object, checkFail, report.Hint(err), report.Text(err))
}

// Run makes every check; none stops the others, save that without a readable
// configuration there is nothing to look at.
func (c *doctorCmd) Run(ctx context.Context, a *app) error {
	x := &examination{ctx: ctx, a: a, out: doctorObject{Type: "doctor", Checks: []checkItem{}}}
	cfg, err := a.config()
	if err != nil {
		for _, part := range holdfast.Parts(err) {
			x.failed("configuration", "", part)
		}
	} else {
		x.cfg = cfg
		x.configuration()
		x.repository()
		x.replicas()
		x.sameDisk()
		x.locks()
		x.sources()
		x.telegram()
		x.hooks()
		x.clock()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	x.out.OK = x.out.Failed == 0
	a.ui.tell(x.out, func() { c.print(a.ui, x.out) })
	if !x.out.OK {
		return &ending{holdfast.ExitIncomplete}
	}
	return nil
}

// configuration tells what was read.
func (x *examination) configuration() {
	switch {
	case x.cfg.File != "":
		x.add("configuration", x.cfg.File, checkOK, "", "read, every key is known")
	case len(x.cfg.Sources) > 0:
		x.add("configuration", "", checkOK, "", "no file; flags, environment and defaults are used")
	}
	for _, w := range x.cfg.Warnings {
		x.add("configuration", w.Object, checkWarn, w.Hint, w.Message)
	}
	if len(x.cfg.Sources) == 0 {
		x.add("configuration", "sources", checkFail, "name one with --chroma, --chroma-url, --sqlite or --files, or run `holdfast init`", "no source is configured, and "+config.DefaultChroma+" does not exist")
	}
	if !x.cfg.Emergency.Enabled {
		x.add("configuration", "emergency.enabled", checkWarn, "leave it on unless you know why", "a restore makes no emergency backup")
	}
	if x.cfg.File != "" {
		if info, err := os.Stat(x.cfg.File); err == nil && info.Mode().Perm()&0o022 != 0 {
			x.add("configuration", x.cfg.File, checkWarn, "chmod go-w it: it names commands that are run", "others can change it")
		}
	}
}

// print shows the checks to a person.
func (c *doctorCmd) print(u *ui, out doctorObject) {
	marks := map[string]string{checkOK: u.outPaint.green("ok  "), checkWarn: u.outPaint.yellow("warn"), checkFail: u.outPaint.red("FAIL")}
	for _, item := range out.Checks {
		what := item.Check
		if item.Object != "" {
			what += " " + item.Object
		}
		u.print("%s  %s: %s\n", marks[item.Status], clean(what), clean(item.Message))
		if item.Hint != "" && item.Status != checkOK {
			u.print("      %s\n", clean(item.Hint))
		}
	}
	switch {
	case out.Failed > 0:
		u.print("\n%s failed, %s\n", plural(out.Failed, "check", "checks"), plural(out.Warnings, "warning", "warnings"))
	case out.Warnings > 0:
		u.print("\nNothing failed; %s\n", plural(out.Warnings, "warning", "warnings"))
	default:
		u.print("\nEverything is in order.\n")
	}
}
