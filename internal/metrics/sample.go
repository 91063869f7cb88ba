package metrics

import (
	"runtime"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// A Sample is what is known at a moment.
type Sample struct {
	Version string // of the program
	// Status is what was last seen, and At when that was; nil while nothing was
	// looked at yet.
	Status *report.Status
	At     time.Time
	// Backups are those of the repository, newest first.
	Backups []report.Backup
	// LastSuccess is when everything was last known to be saved: by a backup, or
	// because nothing had changed since one.
	LastSuccess time.Time
	// Failures are attempts of automatic backups that failed, those included that
	// found no repository to begin with.
	Failures map[holdfast.Trigger]int64
	// Alarms counts those that stand, by kind: kinds without one are there, too.
	Alarms map[string]int
	Tasks  []holdfast.TaskStanding
	// Jobs counts those that are not over, by state.
	Jobs map[string]int
	// Proxies are the doors of Chroma servers.
	Proxies []Proxy
}

// A Proxy is what has gone through the door of a Chroma server.
type Proxy struct {
	Listen, Upstream string
	Requests         map[string]int64 // by what they do
	// Refused and Unprotected are writes without a backup before them: those that were
	// turned away, and those that were let through.
	Refused, Unprotected int64
	Waiting              int // writes, for their backup
}

// collector makes metrics of a sample.
type collector struct{ gather func() Sample }

// Describe implements prometheus.Collector.
func (collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range sampled {
		to <- d.desc
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	s := c.gather()
	e := emitter{to}
	e.emit(buildInfo, 1, s.Version, runtime.Version())
	for _, t := range holdfast.Triggers() {
		e.emit(attemptFailures, float64(s.Failures[t]), string(t))
	}
	for kind, n := range s.Alarms {
		e.emit(alarms, float64(n), kind)
	}
	for state, n := range s.Jobs {
		e.emit(jobs, float64(n), state)
	}
	for _, t := range s.Tasks {
		e.emit(taskRuns, float64(t.Runs), t.Name)
		e.emit(taskFailures, float64(t.Failures), t.Name)
		e.moment(taskLastRun, t.LastAt, t.Name)
		e.moment(taskNextRun, t.NextAt, t.Name)
	}
	e.proxies(s.Proxies)
	e.backups(s.Backups)
	if s.Status == nil {
		return
	}
	e.emit(statusAt, seconds(s.At))
	e.verdict(s.Status)
	e.sources(s.Status, s.Backups, s.LastSuccess)
	e.repository(s.Status)
	e.replicas(s.Status, s.Backups)
	e.programs(s.Status.Programs)
}

// An emitter sends metrics to a scrape.
type emitter struct{ to chan<- prometheus.Metric }

func (e emitter) emit(m metric, value float64, labels ...string) {
	e.to <- prometheus.MustNewConstMetric(m.desc, m.kind, value, labels...)
}

// moment sends a moment that may be unknown, and then is not there.
func (e emitter) moment(m metric, at *holdfast.Time, labels ...string) {
	if at != nil && !at.IsZero() {
		e.emit(m, seconds(at.Time), labels...)
	}
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func (e emitter) proxies(all []Proxy) {
	for _, p := range all {
		for kind, n := range p.Requests {
			e.emit(proxyRequests, float64(n), kind, p.Listen, p.Upstream)
		}
		e.emit(proxyRefused, float64(p.Refused), p.Listen, p.Upstream)
		e.emit(proxyUnprotected, float64(p.Unprotected), p.Listen, p.Upstream)
		e.emit(proxyWaiting, float64(p.Waiting), p.Listen, p.Upstream)
	}
}

func (e emitter) verdict(s *report.Status) {
	e.emit(safe, truth(s.Fine()))
	for _, v := range report.Verdicts() {
		e.emit(verdict, truth(s.Verdict == v), v)
	}
	e.emit(pruneHold, truth(s.Hold != nil))
	e.emit(restoreCut, truth(s.Pending != nil))
}

// sources tells of each source. Whatever was known to be saved as a whole holds for
// each of them; a source that was never backed up has its beginning at zero, so that
// its age is without end. What nobody knows, because the repository cannot be asked,
// is not there.
func (e emitter) sources(s *report.Status, all []report.Backup, success time.Time) {
	for _, source := range s.Sources {
		e.emit(sourcePresent, truth(source.Exists && source.Error == ""), source.Name)
		if source.Exists {
			e.emit(sourceBytes, float64(source.Bytes), source.Name)
		}
		if source.Records != nil {
			e.emit(sourceRecords, float64(*source.Records), source.Name)
		}
		saved, last := success, source.LastAt
		if at := newestWith(all, source.Name); at != nil && (last == nil || at.After(last.Time)) {
			last = at // made since everything was looked at
		}
		switch {
		case last != nil:
			e.moment(lastBackup, last, source.Name)
			if last.After(success) {
				saved = last.Time
			}
		case s.Repository.Error == "":
			saved = time.Time{} // it is new: what was saved as a whole was without it
		}
		switch {
		case !saved.IsZero():
			e.emit(lastSuccess, seconds(saved), source.Name)
		case s.Repository.Error == "":
			e.emit(lastSuccess, 0, source.Name)
		}
	}
}

func (e emitter) repository(s *report.Status) {
	r := s.Repository
	e.emit(repositoryUsable, truth(r.Exists && r.Error == ""))
	if r.Error != "" {
		return // its numbers are not known
	}
	e.emit(backupCount, float64(r.Backups))
	e.emit(unusableCount, float64(r.Unusable))
	e.emit(logicalBytes, float64(r.LogicalBytes))
	e.emit(storedBytes, float64(r.StoredBytes))
	e.emit(heldBytes, float64(r.HeldBytes))
	if r.FreeBytes != nil {
		e.emit(freeBytes, float64(*r.FreeBytes))
	}
	e.moment(lastProof, r.ProvenAt, "any")
}

// backups tells of the newest backup, and of the drills.
func (e emitter) backups(all []report.Backup) {
	var drilled *report.Drilled
	var good *holdfast.Time
	for i := range all {
		d := all[i].Drilled
		if d == nil {
			continue
		}
		if drilled == nil || d.At.After(drilled.At.Time) {
			drilled = d
		}
		if d.OK && (good == nil || d.At.After(good.Time)) {
			good = &d.At
		}
	}
	e.moment(lastProof, good, "drill")
	if drilled != nil {
		e.emit(drillOK, truth(drilled.OK))
		e.emit(drillSeconds, float64(drilled.RestoreMS)/1000)
	}
	if b := newest(all); b != nil {
		e.emit(newestBytes, float64(b.LogicalBytes))
		e.emit(newestStored, float64(b.StoredBytes))
		e.emit(newestSeconds, float64(b.DurationMS)/1000)
		e.emit(writerStall, b.WriterStallMS/1000)
	}
}

// newestWith tells when the newest backup was made that holds the present data of a
// source; nil if there is none.
func newestWith(all []report.Backup, source string) *holdfast.Time {
	for i := range all {
		b := &all[i]
		if b.CreatedAt != nil && b.Trigger != holdfast.TriggerEmergency && slices.ContainsFunc(b.Sources, func(s report.BackupSource) bool { return s.Name == source }) {
			return b.CreatedAt
		}
	}
	return nil
}

// newest finds the newest backup that tells of the present data.
func newest(all []report.Backup) *report.Backup {
	for i := range all {
		if all[i].CreatedAt != nil && all[i].Trigger != holdfast.TriggerEmergency {
			return &all[i]
		}
	}
	return nil
}

// replicas tells how far each replica is behind: by how much its newest copy is older
// than the newest backup.
func (e emitter) replicas(s *report.Status, all []report.Backup) {
	for _, r := range s.Replicas {
		e.emit(replicaUsable, truth(r.Error == ""), r.Name)
		if r.Error != "" {
			continue
		}
		e.emit(replicaBehind, float64(len(r.Behind)), r.Name)
		e.moment(replicaNewest, r.NewestAt, r.Name)
		b := newest(all)
		if b == nil || r.NewestAt == nil {
			continue
		}
		lag := b.CreatedAt.Sub(r.NewestAt.Time)
		if len(r.Behind) == 0 {
			lag = 0
		}
		e.emit(replicaLag, max(0, lag.Seconds()), r.Name)
	}
}

// programs sums what the programs in holdfast's care tell of their storage.
func (e emitter) programs(all []holdfast.Standing) {
	var inMemory, failing, wipes, kept int64
	divided := false
	var wiped *holdfast.Time
	for _, p := range all {
		for _, s := range p.Sources {
			if s.DegradedSince != nil {
				inMemory++
			}
		}
		if p.Backups.Error != "" && p.Backups.Standby == "" {
			failing++
		}
		v := p.Survival
		if v == nil {
			continue
		}
		wipes, kept = wipes+v.Wiped, kept+v.Kept
		divided = divided || report.Apart(v)
		if v.LastWiped != nil && (wiped == nil || v.LastWiped.After(wiped.Time)) {
			wiped = v.LastWiped
		}
	}
	e.emit(programCount, float64(len(all)))
	e.emit(degraded, float64(inMemory))
	e.emit(programsFailing, float64(failing))
	e.emit(dividedInstances, truth(divided))
	e.emit(storageWipes, float64(wipes))
	e.emit(storageKept, float64(kept))
	e.moment(lastWiped, wiped)
}
