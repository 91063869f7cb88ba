package details

import (
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/repo"
)

// The page of a backup says of its proofs what the list says: what failed is not covered by
// what was found before, or by somebody who looked less closely.
func TestJudge_WhatFailedIsNotCovered(t *testing.T) {
	const drill, verify, stored = holdfast.ProofDrill, holdfast.ProofVerify, holdfast.ProofStored
	type proof struct {
		kind holdfast.ProofKind
		ok   bool
	}
	for name, tt := range map[string]struct {
		proofs []proof
		want   Judgement
	}{
		"none":                                    {nil, Unproven},
		"a drill":                                 {[]proof{{drill, true}}, Drilled},
		"a verification after a drill":            {[]proof{{drill, true}, {verify, true}}, Drilled},
		"a verification that failed":              {[]proof{{drill, true}, {verify, false}}, Disproven},
		"a verification after a drill failed":     {[]proof{{drill, true}, {drill, false}, {verify, true}}, Disproven},
		"stored bytes after a drill failed":       {[]proof{{drill, false}, {stored, true}}, Disproven},
		"stored bytes after a verification":       {[]proof{{verify, true}, {stored, true}}, Verified},
		"stored bytes that are not as they were":  {[]proof{{drill, true}, {stored, false}}, Disproven},
		"stored bytes after a verification broke": {[]proof{{drill, true}, {verify, false}, {stored, true}}, Disproven},
		"a verification after one that failed":    {[]proof{{drill, true}, {verify, false}, {verify, true}}, Verified},
		"a drill after one that failed":           {[]proof{{drill, false}, {drill, true}}, Drilled},
	} {
		var proofs []holdfast.Proof
		at := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
		for _, p := range tt.proofs {
			at = at.Add(time.Hour)
			proofs = append(proofs, holdfast.Proof{At: holdfast.At(at), Kind: p.kind, OK: p.ok})
		}
		info := repo.Info{Name: "monday", Metadata: &holdfast.Metadata{}, Proofs: proofs}
		m := Model{Name: "monday", Show: report.Show{Backup: report.NewBackup(info), Metadata: info.Metadata, Proofs: proofs}}
		if got := Judge(m); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
		if failed, ok := disproof(proofs); ok != info.Disproven() || ok && failed.OK {
			t.Errorf("%s: %v, and the list says %v", name, ok, info.Disproven())
		}
	}
}
