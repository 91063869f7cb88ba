package cli

import (
	"cmp"
	"context"
	"os"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/report"
)

type notifyCmd struct {
	Test notifyTestCmd `cmd:"" help:"Send a test to everybody who is told of alarms."`
}

type notifyTestCmd struct{}

func (notifyTestCmd) about() about {
	return about{
		text: `Sends a message that says that it is a test to each of notify.urls, and tells what
became of it at each service, without the secrets of its URL. Exit status 1 if one
of them could not be told.`,
		examples: []example{
			{"holdfast notify test", "after a change of notify.urls, and once a year"},
		},
	}
}

// notifyTestObject is the outcome of notify test.
type notifyTestObject struct {
	Type     string           `json:"type"` // notify_test
	OK       bool             `json:"ok"`
	Services []alarm.Delivery `json:"services"`
}

// Run tells everybody, also if a URL of somebody else's is wrong.
func (c *notifyTestCmd) Run(ctx context.Context, a *app) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	if len(cfg.Notify.URLs) == 0 {
		return &holdfast.Error{
			Op: "notify test", Err: holdfast.Kindf(holdfast.ErrUsage, "nobody is told of alarms"),
			Hint: "name them in notify.urls or HOLDFAST_NOTIFY_URLS, such as ntfy://ntfy.sh/TOPIC; docs/alarms.md has the URLs of each service",
		}
	}
	host, err := os.Hostname()
	if err != nil {
		host = "an unknown host"
	}
	out := notifyTestObject{Type: "notify_test", OK: true, Services: []alarm.Delivery{}}
	services, faults := alarm.Shoutrrr(cfg.Notify.URLs, cfg.Notify.SendTimeout)
	if services != nil {
		out.Services = append(out.Services, services.Test(ctx, host)...)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if faults != nil {
		for _, fault := range holdfast.Parts(faults) {
			out.Services = append(out.Services, faulty(fault))
		}
	}
	for _, s := range out.Services {
		out.OK = out.OK && s.OK
	}
	a.ui.tell(out, func() { c.print(a.ui, out) })
	if !out.OK {
		return &ending{holdfast.ExitFailed}
	}
	return nil
}

// faulty tells of a URL that cannot be used at all.
func faulty(err error) alarm.Delivery {
	_, object := report.OpAndObject(err)
	return alarm.Delivery{Service: cmp.Or(object, "notify.urls"), Error: report.Text(err)}
}

// print shows what became of each.
func (c *notifyTestCmd) print(u *ui, out notifyTestObject) {
	for _, s := range out.Services {
		if s.OK {
			u.print("%s  %s: told\n", u.outPaint.green("ok  "), clean(s.Service))
			continue
		}
		u.print("%s  %s\n", u.outPaint.red("FAIL"), clean(s.Error))
	}
}
