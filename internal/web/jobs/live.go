package jobs

import (
	"context"
	"strconv"
	"time"

	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/web/site"
)

const (
	// leastApart is the time between two fragments: more often nobody can look.
	leastApart = 250 * time.Millisecond
	// tick is how often the page is told the time that passes while nothing is heard.
	tick = time.Second
	// closeEvent ends the stream for the page.
	closeEvent = "close"
)

// live sends the page of a job as it goes on. The id of each event is the number of the
// last event of the job that it tells, so that whoever comes back goes on from there.
func live(v *site.Visit) error {
	j, err := own(v)
	if err != nil {
		return err
	}
	t, err := heard(v.Context(), v.Core, j)
	if err != nil {
		return err
	}
	stream, err := v.Stream()
	if err != nil {
		return nil // the reader is gone
	}
	f := &feed{v: v, id: j.ID, stream: stream, track: t, told: max(v.LastEvent(), asked(v))}
	f.follow()
	return nil
}

// asked is the number of the last event that the page has, as its address says.
func asked(v *site.Visit) int64 {
	seq, err := strconv.ParseInt(v.R.URL.Query().Get("after"), 10, 64)
	if err != nil {
		return 0
	}
	return max(0, seq)
}

// A feed is the stream of one reader.
type feed struct {
	v      *site.Visit
	id     string
	stream *site.Stream
	track  *Track
	told   int64  // the number of the last event that the reader has in the log
	said   string // to whoever hears the page
}

// follow sends fragments until the job has ended, or the reader or the server has.
func (f *feed) follow() {
	if f.track.State.Ended() {
		f.finish()
		return
	}
	if f.track.Seq > f.told && f.send() != nil {
		return
	}
	ctx, cancel := context.WithCancel(f.v.Context())
	defer cancel()
	news := f.batches(ctx)
	defer func() {
		cancel()
		for range news { // until the collector has gone
		}
	}()
	for {
		batch, ok := site.Wait(ctx, f.stream, news)
		if !ok {
			return
		}
		for _, e := range batch {
			f.track.Apply(e)
		}
		if f.track.State.Ended() {
			f.finish()
			return
		}
		if f.send() != nil {
			return
		}
	}
}

// batches gives the events of the job in portions, no two of them within a moment; while
// it is at work, an empty one every second. It is closed when there will be none.
func (f *feed) batches(ctx context.Context) <-chan []job.Event {
	events, out, from := make(chan job.Event), make(chan []job.Event), f.track.Seq
	go func() {
		defer close(events)
		for e, err := range f.v.Core.Jobs.Events(ctx, f.id, from) {
			if err != nil {
				return // ctx has ended, or the job is not kept any more
			}
			select {
			case events <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	go func() {
		defer close(out)
		defer func() {
			for range events { // until the reader of the job has gone
			}
		}()
		collect(ctx, events, out)
	}()
	return out
}

// collect puts events together until it is time for a portion.
func collect(ctx context.Context, events <-chan job.Event, out chan<- []job.Event) {
	var batch []job.Event
	pause := time.NewTimer(0) // what is there already goes out at once
	defer pause.Stop()
	passing := time.NewTicker(tick)
	defer passing.Stop()
	ended, due := false, false
	for {
		var to chan<- []job.Event
		if due && len(batch) > 0 || ended {
			to = out
		}
		select {
		case e, ok := <-events:
			if !ok {
				ended, events = true, nil
				if len(batch) == 0 {
					return
				}
				continue
			}
			batch = append(batch, e)
			ended = ended || e.State != "" && e.State.Ended()
		case <-pause.C:
			due = true
		case <-passing.C:
			if len(batch) == 0 && due {
				select {
				case out <- nil:
				default: // the reader is slow, and has enough to read
				}
			}
		case to <- batch:
			if ended {
				return
			}
			batch, due = nil, false
			pause.Reset(leastApart)
		case <-ctx.Done():
			return
		}
	}
}

// send tells the reader how the job stands now.
func (f *feed) send() error {
	j, err := f.v.Core.Jobs.Get(f.id)
	if err != nil {
		return err
	}
	if j.State.Ended() { // its last event follows
		j.State = f.track.State
	}
	return f.write(j)
}

// finish tells the result, and ends the stream.
func (f *feed) finish() {
	j, err := f.v.Core.Jobs.Get(f.id)
	if err != nil || f.write(j) != nil {
		return
	}
	_ = f.stream.Send(f.track.Seq, closeEvent, nothing()) // whoever is gone asks again
}

func (f *feed) write(j job.Job) error {
	m, p := modelOf(f.v, j, f.track)
	m.Log = after(m.Log, f.told)
	said := saying(p, m)
	if said == f.said {
		said = ""
	} else {
		f.said = said
	}
	if err := f.stream.Send(m.Seq, "", Fragment(p, m, said)); err != nil {
		return err
	}
	f.told = max(f.told, m.Seq)
	return nil
}

// after gives the lines that come after the one with a number.
func after(log []Line, told int64) []Line {
	for i, l := range log {
		if l.Seq > told {
			return log[i:]
		}
	}
	return nil
}
