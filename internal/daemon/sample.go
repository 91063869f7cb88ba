package daemon

import (
	"context"
	"time"

	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/metrics"
)

// sampleWithin bounds how long a scrape waits for a list of the backups; without one it has
// that of before.
const sampleWithin = 5 * time.Second

// sample tells the metrics how everything stands: as it was last looked at, for a
// scrape must not cost a look.
func (d *daemon) sample() metrics.Sample {
	c := d.core.Load()
	out := metrics.Sample{
		Version: d.o.ToolVersion, LastSuccess: c.keeper.LastSuccess(), Failures: c.keeper.Counts().Failures,
		Tasks: c.standing(), Alarms: map[string]int{}, Jobs: map[string]int{},
	}
	if found := d.judged.Load(); found != nil && found.err == nil {
		out.Status, out.At = &found.status, found.at
	}
	ctx, cancel := context.WithTimeout(context.Background(), sampleWithin)
	defer cancel()
	out.Backups, _, _ = c.book.Backups(ctx) // that they cannot be read is in the status
	for _, kind := range config.AlarmKinds() {
		out.Alarms[kind] = 0
	}
	for _, a := range d.board.Load().Standing() {
		out.Alarms[a.Kind]++
	}
	for _, state := range []job.State{job.Queued, job.Running} {
		_, _, out.Jobs[string(state)] = d.jobs.List(job.Filter{States: []job.State{state}}, job.Page{Limit: 1})
	}
	out.Proxies = d.doors.passed()
	return out
}
