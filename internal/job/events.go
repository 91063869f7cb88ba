package job

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"os"
)

// Events gives the events of a job that come after the one with this number (0: all),
// and follows it until it has ended. Numbers can be missing: what a full disk did not
// take, and progress of long ago. The last one tells the state in which the job
// ended. An error ends the sequence: ErrNotFound, or that ctx has ended.
//
// Whoever ranges over it may be as slow as he likes.
func (r *Runner) Events(ctx context.Context, id string, after int64) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		e, err := r.find(id)
		if err != nil {
			yield(Event{}, err)
			return
		}
		f := follower{e: e, after: max(after, 0)}
		for {
			events, more := f.next()
			for _, ev := range events {
				if ctx.Err() != nil || !yield(ev, nil) {
					return
				}
			}
			switch {
			case len(events) > 0:
				continue
			case more == nil:
				return
			}
			select {
			case <-more:
			case <-ctx.Done():
				yield(Event{}, context.Cause(ctx))
				return
			}
		}
	}
}

// A follower is somebody who reads events.
type follower struct {
	e     *entry
	after int64
}

// mostRead is how many events are taken from a file at once.
const mostRead = 256

// next gives the next events. If there are none just now, more is closed when that
// may have changed, and nil if there will be none.
func (f *follower) next() (events []Event, more <-chan struct{}) {
	n := f.e.news
	n.mu.Lock()
	oldest := n.seq + 1 - int64(len(n.recent))
	seq, ended := n.seq, n.ended
	if f.after+1 >= oldest && f.after < seq {
		events = append(events, n.recent[f.after+1-oldest:]...)
	}
	more = n.changed
	n.mu.Unlock()
	switch {
	case len(events) > 0:
		f.after = seq
		return events, more
	case f.after >= seq:
		if ended {
			more = nil
		}
		return nil, more
	}
	// What memory no longer has is in the file, or is lost.
	events = stored(n.path, f.after, oldest)
	if len(events) == mostRead {
		f.after = events[mostRead-1].Seq
		return events, more
	}
	f.after = oldest - 1
	if ended && f.after == seq && (len(events) == 0 || events[len(events)-1].Seq != seq) {
		j, _ := f.e.snapshot()
		events = append(events, Event{Seq: seq, At: *j.EndedAt, State: j.State})
	}
	if len(events) == 0 {
		return f.next()
	}
	return events, more
}

// mostSeq is the highest number that an event of ours can have.
const mostSeq = 1 << 53

// mostLine bounds the lines of a file of events that are looked at.
const mostLine = 64 << 10

// stored reads the first events of a file between two numbers. Lines that are torn
// are passed over.
func stored(path string, after, before int64) (events []Event) {
	_, _ = lines(path, func(ev Event) bool {
		if ev.Seq > after && ev.Seq < before {
			events = append(events, ev)
		}
		return len(events) < mostRead && ev.Seq < before-1
	})
	return events
}

// lines reads the events of a file until take has had enough, and tells where the
// last whole line ends.
func lines(path string, take func(Event) bool) (size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, mostLine)
	for {
		line, err := in.ReadSlice('\n')
		long := false
		for errors.Is(err, bufio.ErrBufferFull) {
			size += int64(len(line))
			line, err = in.ReadSlice('\n')
			long = true
		}
		if errors.Is(err, io.EOF) {
			return size, nil
		}
		if err != nil {
			return size, err
		}
		size += int64(len(line))
		var ev Event
		if long || json.Unmarshal(line, &ev) != nil || ev.Seq <= 0 || ev.Seq > mostSeq {
			continue
		}
		if !take(ev) {
			return size, nil
		}
	}
}
