package chromatest

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

// never is the end of a state that has not been followed by another.
const never = Moment(math.MaxInt64)

// A state is what one id holds from one request to the next.
type state struct {
	version     int // 0 means deleted, or not yet there
	sent, acked Moment
}

func (s *state) live() bool { return s.version > 0 }

// A history is every state of one id, in order. The first is "not there".
type history struct {
	collection string
	version    int
	states     []state
	uncertain  bool // a request failed: it may be applied or not
}

func (h *history) last() *state { return &h.states[len(h.states)-1] }

// A window is a span of moments in which a state may have been the visible
// one: from the sending of its request to the acknowledgement of the next.
type window struct{ from, to Moment }

// windows gives the spans in which an observed version was visible, several if
// it is "absent" and the record was deleted several times.
func (h *history) windows(version int) []window {
	var w []window
	for i, s := range h.states {
		if s.version != version {
			continue
		}
		end := never
		if i+1 < len(h.states) {
			end = h.states[i+1].acked
		}
		w = append(w, window{s.sent, end})
	}
	return w
}

// A lifetime tells when a short-lived collection was complete and when its
// deletion began.
type lifetime struct{ filled, dropped Moment }

func recordID(writer, i int) string { return fmt.Sprintf("w%d-%d", writer, i) }

// record gives what an id holds in one of its versions, always the same.
func (l *Load) record(id string, version int) Record {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s/%d", id, version)
	rng := rand.New(rand.NewPCG(h.Sum64(), uint64(version)))
	r := Record{
		ID: id,
		Metadata: map[string]any{
			"version": version,
			"even":    version%2 == 0,
			"owner":   id,
			// Never whole: JSON would turn 2.0 into the integer 2.
			"ratio": float64(version) + 0.5,
		},
		Embedding: make([]float32, l.o.Dimension),
	}
	text := fmt.Sprintf("%s in version %d: %s", id, version, strings.Repeat("the quick brown fox ", rng.IntN(1+l.o.Text/10)))
	r.Document = &text
	for i := range r.Embedding {
		r.Embedding[i] = rng.Float32()*2 - 1
	}
	return r
}

func containsLocked(body string) bool { return strings.Contains(body, "database is locked") }

// String gives a moment in seconds since the load began.
func (m Moment) String() string {
	if m == never {
		return "never"
	}
	return time.Duration(m).Round(time.Microsecond).String()
}
