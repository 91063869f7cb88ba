// Package metrics shows Prometheus how the data is kept.
//
// Start from [New]. What a look at everything tells (the verdict, when each source
// was last known to be saved, proofs, sizes, replicas, programs, tasks, alarms) is a
// [Sample], asked for at every scrape; what the engine does is told by
// [Registry.Observe] when it has ended. Moments are shown as moments and never as
// ages, so that a sample that is not renewed ages by itself.
//
// The values of labels are bounded by the configuration: sources, replicas, triggers,
// tasks, kinds of alarms. No backup is named. docs/monitoring.md says of every name
// what it means and what to be alarmed by.
package metrics

import (
	"context"
	"errors"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
)

// A Registry is what can be scraped.
type Registry struct {
	registry *prometheus.Registry
	verbs    verbs
	requests requests
}

// New makes a registry whose samples come from gather, which is called at every
// scrape, perhaps by several at once, and must be fast.
func New(gather func() Sample) *Registry {
	r := &Registry{registry: prometheus.NewRegistry(), verbs: newVerbs(), requests: newRequests()}
	r.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	r.registry.MustRegister(collector{gather})
	r.registry.MustRegister(r.verbs.all()...)
	r.registry.MustRegister(r.requests.all()...)
	return r
}

// Handler answers scrapes. One series that cannot be had keeps nobody from the rest.
func (r *Registry) Handler() http.Handler {
	return promhttp.HandlerFor(r.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// verbs count what the engine did.
type verbs struct {
	operations, failures, unchanged *prometheus.CounterVec
	backupTime, restoreTime         prometheus.Histogram
	stored                          prometheus.Counter
}

// noTrigger is the trigger of what has none: restores and rollbacks.
const noTrigger = "none"

// durations of backups and restores: a bot's database takes milliseconds, and a large
// collection an hour.
var durations = []float64{.01, .05, .25, 1, 5, 15, 60, 300, 900, 3600}

// The verbs that are observed.
const (
	opBackup   = "backup"
	opRestore  = "restore"
	opRollback = "rollback"
)

func newVerbs() verbs {
	v := verbs{
		operations: counters("operations_total", "Backups, restores and rollbacks that ended, whatever became of them.", "op", "trigger"),
		failures:   counters("failures_total", "Backups, restores and rollbacks that failed; interrupted ones did not. Alert on any increase.", "op", "trigger"),
		unchanged:  counters("unchanged_total", "Backups that were not needed: nothing had changed since the one before. They count as a success.", "trigger"),
		backupTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "backup_duration_seconds", Help: "How long backups took that were made.",
			Buckets: durations,
		}),
		restoreTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "restore_duration_seconds", Help: "How long restores and rollbacks took that succeeded.",
			Buckets: durations,
		}),
		stored: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "backup_stored_bytes_total", Help: "Bytes that backups took in the repository when they were made.",
		}),
	}
	// A series that begins with its first failure has no increase.
	for _, t := range holdfast.Triggers() {
		v.operations.WithLabelValues(opBackup, string(t))
		v.failures.WithLabelValues(opBackup, string(t))
		v.unchanged.WithLabelValues(string(t))
	}
	for _, op := range []string{opRestore, opRollback} {
		v.operations.WithLabelValues(op, noTrigger)
		v.failures.WithLabelValues(op, noTrigger)
	}
	return v
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func (v verbs) all() []prometheus.Collector {
	return []prometheus.Collector{v.operations, v.failures, v.unchanged, v.backupTime, v.restoreTime, v.stored}
}

// Observe counts a verb that has ended.
func (r *Registry) Observe(v engine.Verb) {
	trigger := noTrigger
	if v.Op == opBackup {
		trigger = string(v.Trigger)
	}
	r.verbs.operations.WithLabelValues(v.Op, trigger).Inc()
	switch {
	case errors.Is(v.Err, context.Canceled):
	case v.Err != nil:
		r.verbs.failures.WithLabelValues(v.Op, trigger).Inc()
	case v.Unchanged:
		r.verbs.unchanged.WithLabelValues(trigger).Inc()
	case v.Op == opBackup:
		r.verbs.backupTime.Observe(v.Duration.Seconds())
		r.verbs.stored.Add(float64(max(0, v.Stored)))
	default:
		r.verbs.restoreTime.Observe(v.Duration.Seconds())
	}
}

// requests count what was asked over HTTP.
type requests struct {
	total    *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

func newRequests() requests {
	return requests{
		total: counters("http_requests_total", "HTTP requests, by method and status.", "code", "method"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "http_request_duration_seconds", Help: "How long HTTP requests took; streams and downloads take as long as they are listened to.",
			Buckets: []float64{.001, .005, .025, .1, .5, 2.5, 10, 60},
		}, []string{"method"}),
	}
}

func (q requests) all() []prometheus.Collector { return []prometheus.Collector{q.total, q.duration} }

// Requests counts the requests that next answers, and measures them.
func (r *Registry) Requests(next http.Handler) http.Handler {
	return promhttp.InstrumentHandlerCounter(r.requests.total, promhttp.InstrumentHandlerDuration(r.requests.duration, next))
}
