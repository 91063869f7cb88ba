package engine

import (
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

func TestSituation_Choose(t *testing.T) {
	now := time.Date(2024, 10, 30, 14, 30, 0, 0, time.UTC)
	sources := []holdfast.SourceMetadata{{Name: "chromadb", Kind: holdfast.KindChroma}, {Name: "bot", Kind: holdfast.KindSQLite}}
	at := func(age time.Duration) holdfast.Time { return holdfast.At(now.Add(-age)) }
	const mb = 1 << 20
	usual := func() situation {
		return situation{
			now: now, fullEvery: 7 * 24 * time.Hour, trigger: holdfast.TriggerScheduled, estimate: 100 * mb,
			sources: []sourceKey{{"bot", holdfast.KindSQLite}, {"chromadb", holdfast.KindChroma}}, base: "d2",
			from: &holdfast.Metadata{
				BackupName: "d2", Parent: "d1", CreatedAt: at(time.Hour), StoredBytes: mb, Sources: sources,
				Chain: &holdfast.Chain{Full: "f", FullAt: at(3 * time.Hour), FullBytes: 40 * mb, Deltas: 1, DeltaBytes: 2 * mb},
			},
		}
	}
	for _, c := range []struct {
		name   string
		change func(*situation)
		want   string
	}{
		{"what comes often", func(*situation) {}, "delta of d2: backups of the trigger scheduled come often"},
		{"auto", func(s *situation) { s.trigger = holdfast.TriggerAuto }, "delta of d2: backups of the trigger auto come often"},
		{"change", func(s *situation) { s.trigger = holdfast.TriggerChange }, "delta of d2: backups of the trigger change come often"},
		{"startup", func(s *situation) { s.trigger = holdfast.TriggerStartup }, "delta of d2: backups of the trigger startup come often"},
		{"shutdown", func(s *situation) { s.trigger = holdfast.TriggerShutdown }, "delta of d2: backups of the trigger shutdown come often"},
		{"by a person", func(s *situation) { s.trigger = holdfast.TriggerManual }, "full: a small backup of the trigger manual is whole in itself"},
		{"by a person, quickly", func(s *situation) { s.trigger = holdfast.TriggerQuick }, "full: a small backup of the trigger quick is whole in itself"},
		{"before a restore", func(s *situation) { s.trigger = holdfast.TriggerEmergency }, "full: a small backup of the trigger emergency is whole in itself"},
		{"by a guard", func(s *situation) { s.trigger = holdfast.TriggerGuard }, "full: a small backup of the trigger guard is whole in itself"},
		{"by a person, just small enough", func(s *situation) { s.trigger, s.estimate = holdfast.TriggerManual, 256*mb }, "full: a small backup of the trigger manual is whole in itself"},
		{"by a person, large", func(s *situation) { s.trigger, s.estimate = holdfast.TriggerManual, 300*mb }, "delta of d2: a full would take in 300 MiB"},
		{"before a restore, large", func(s *situation) { s.trigger, s.estimate = holdfast.TriggerEmergency, 300*mb }, "delta of d2: a full would take in 300 MiB"},
		{"always", func(s *situation) { s.trigger, s.deltas = holdfast.TriggerManual, DeltasAlways }, "delta of d2: deltas are always wanted"},
		{"never", func(s *situation) { s.deltas, s.estimate = DeltasNever, 300*mb }, "full: deltas are switched off"},
		{"asked for a full", func(s *situation) { s.asked, s.deltas = true, DeltasAlways }, "full: asked for with --full"},
		{"no base", func(s *situation) { s.base, s.why, s.from = "", "nothing is remembered", nil }, "full: nothing is remembered"},
		{"the base cannot be read", func(s *situation) { s.from = nil }, "full: d2 cannot be read"},
		{"a source more", func(s *situation) { s.sources = append(s.sources, sourceKey{"docs", holdfast.KindFiles}) }, "full: d2 holds another set of sources"},
		{"a source of another kind", func(s *situation) { s.sources[0].kind = holdfast.KindFiles }, "full: d2 holds another set of sources"},
		{"the full is gone", func(s *situation) { s.fullGone = true }, "full: the full that d2 rests on is gone"},
		{"the full is just not too old", func(s *situation) { s.from.Chain.FullAt = at(7 * 24 * time.Hour) }, "delta of d2: backups of the trigger scheduled come often"},
		{"the full is too old", func(s *situation) { s.from.Chain.FullAt = at(7*24*time.Hour + time.Second) }, "full: the last full, f, is older than 7 days"},
		{"the deltas are just not too heavy", func(s *situation) { s.from.Chain.DeltaBytes = 19 * mb }, "delta of d2: backups of the trigger scheduled come often"},
		{"the deltas are too heavy", func(s *situation) { s.from.Chain.DeltaBytes = 19*mb + 1 }, "full: the deltas since f take 20 MiB, more than half of its 40 MiB"},
		{"the base is the full", func(s *situation) {
			s.base, s.from = "f", &holdfast.Metadata{BackupName: "f", CreatedAt: at(time.Hour), StoredBytes: 40 * mb, Sources: sources}
		}, "delta of f: backups of the trigger scheduled come often"},
		{"one delta less than there may be", func(s *situation) { s.from.Chain.Deltas = maxDeltas - 2 }, "delta of d2: backups of the trigger scheduled come often"},
		{"as many deltas as there may be", func(s *situation) { s.from.Chain.Deltas = maxDeltas - 1 }, "full: 1000 deltas rest on f"},
		{"the full was made by a clock that was ahead", func(s *situation) { s.from.Chain.FullAt = at(-time.Hour) }, "delta of d2: backups of the trigger scheduled come often"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := usual()
			c.change(&s)
			if got := s.choose().String(); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestForm_ChosenSaysWhatBecameOfIt(t *testing.T) {
	f := Form{Base: "f", Reason: "often"}
	if got := f.chosen(&holdfast.Metadata{Parent: "f"}); got != f {
		t.Errorf("a delta is told as %s", got)
	}
	if got := f.chosen(&holdfast.Metadata{}); got.Base != "" || got.Reason == f.Reason {
		t.Errorf("a full for want of memory is told as %s", got)
	}
}

func TestPeriod_IsSaidAsItIsConfigured(t *testing.T) {
	for d, want := range map[time.Duration]string{24 * time.Hour: "1 day", 168 * time.Hour: "7 days", 36 * time.Hour: "36h0m0s"} {
		if got := period(d); got != want {
			t.Errorf("period(%v) = %q, want %q", d, got, want)
		}
	}
}
