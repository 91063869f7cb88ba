package api

import (
	"context"
	"net/http"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/report"
)

type verifyInput struct {
	Keyed
	Named
	Body *verifyBody `required:"false"`
}

type verifyBody struct {
	Full    bool   `json:"full,omitempty" doc:"The slowest, deepest check of each database."`
	Replica string `json:"replica,omitempty" maxLength:"200" doc:"The copy in this replica instead: a configured name."`
	WaitBody
}

type verifyAllInput struct {
	Keyed
	Body *verifyBody `required:"false"`
}

type plainInput struct {
	Keyed
	Named
	Body *plainBody `required:"false"`
}

type plainBody struct {
	WaitBody
}

type restoreInput struct {
	Keyed
	Named
	Body *restoreBody `required:"false"`
}

type restoreBody struct {
	ChosenParts
	NoEmergency bool `json:"no_emergency,omitempty" doc:"Make no backup of the present state first."`
	WaitBody
}

// ChosenParts are what is restored, and how.
type ChosenParts struct {
	Only   []string `json:"only,omitempty" maxItems:"100" doc:"Sources, or memory; everything if absent."`
	Force  bool     `json:"force,omitempty" doc:"Go on although processes have the data open, or although it was damaged already when it was captured."`
	Online bool     `json:"online,omitempty" doc:"SQLite: through its own transaction, so that open connections go on."`

	Parts        map[string][]holdfast.Part `json:"parts,omitempty" maxProperties:"100" doc:"Only parts of sources, by the name of the source, or by its kind where the backup has one of that kind: tables, collections, and in them rows or records. One source at a time."`
	AcceptLosses bool                       `json:"accept_losses,omitempty" doc:"Go on although the store cannot keep all of what comes; the plan lists what would be lost."`
	KeepReplaced bool                       `json:"keep_replaced,omitempty" doc:"Keep what is replaced in a running store, under another name."`
}

// request gives what is asked for of a backup.
func (c ChosenParts) request(name string) operation.RestoreRequest {
	return operation.RestoreRequest{Name: name, Only: c.Only, Force: c.Force, Online: c.Online, Parts: c.Parts, AcceptLosses: c.AcceptLosses, KeepReplaced: c.KeepReplaced}
}

type planInput struct {
	Named
	Body *planBody `required:"false"`
}

type planBody struct {
	ChosenParts
}

type planOutput struct {
	Body report.RestorePlan
}

type deleteInput struct {
	Keyed
	Named
	Grace       string `query:"grace" maxLength:"20" example:"10s" doc:"How long the job waits before it deletes, up to 60s: to cancel it until then takes the deletion back."`
	Wait        bool   `query:"wait" doc:"Answer when it is gone; otherwise at once."`
	WaitTimeout int    `query:"wait_timeout" minimum:"1" maximum:"3600" default:"600" doc:"After how many seconds to answer with the job as it stands."`
}

// addVerbs adds the work on one backup.
func (s *server) addVerbs() {
	add(s, startsJob(route{
		id: "verifyBackup", path: "/backups/{name}/verify", tag: "proof", summary: "Verify a backup", scopes: restoring,
		description: "Reads every byte, lets each source check its data, and keeps the proof with the backup. The result of the job is that of `holdfast verify --json`.",
	}), func(ctx context.Context, in *verifyInput) (*startedOutput, error) {
		b := orZero(in.Body)
		return s.onBackup(ctx, in.Named, b.WaitBody, func(name string) (job.Job, error) {
			return s.core().Operations.Verify(ctx, caller(ctx), in.Key, operation.VerifyRequest{Name: name, Full: b.Full, Replica: b.Replica})
		})
	})
	add(s, startsJob(route{
		id: "verifyAll", path: "/verify", tag: "proof", summary: "Verify every backup", scopes: restoring,
		description: "All of them, even if one is damaged. The job fails if one is, and its result says which.",
	}), func(ctx context.Context, in *verifyAllInput) (*startedOutput, error) {
		b := orZero(in.Body)
		j, err := s.core().Operations.Verify(ctx, caller(ctx), in.Key, operation.VerifyRequest{All: true, Full: b.Full, Replica: b.Replica})
		return s.started(ctx, j, err, b.WaitBody)
	})
	add(s, startsJob(route{
		id: "drillBackup", path: "/backups/{name}/drill", tag: "proof", summary: "Drill a backup", scopes: restoring,
		description: "Restores it for real into scratch space and asks what was asked when it was captured: a stronger proof than verifying. Nothing live is touched.",
	}), func(ctx context.Context, in *plainInput) (*startedOutput, error) {
		return s.onBackup(ctx, in.Named, orZero(in.Body).WaitBody, func(name string) (job.Job, error) {
			return s.core().Operations.Drill(ctx, caller(ctx), in.Key, operation.DrillRequest{Name: name})
		})
	})
	add(s, startsJob(route{
		id: "restoreBackup", path: "/backups/{name}/restore", tag: "restore", summary: "Restore a backup", scopes: restoring,
		description: "Replaces the live data: emergency backup, validation, a checked copy, the swap, confirmation. Any failure puts the previous state back and says so. To have the files of a backup elsewhere, download it.",
	}), func(ctx context.Context, in *restoreInput) (*startedOutput, error) {
		b := orZero(in.Body)
		return s.onBackup(ctx, in.Named, b.WaitBody, func(name string) (job.Job, error) {
			q := b.request(name)
			q.NoEmergency = b.NoEmergency
			return s.core().Operations.Restore(ctx, caller(ctx), in.Key, q)
		})
	})
	add(s, route{
		id: "planRestore", method: http.MethodPost, path: "/backups/{name}/restore-plan", tag: "restore", summary: "What a restore would do",
		description: "Changes nothing: what is there now, what the backup has, which processes are in the way.",
		scopes:      restoring, status: http.StatusOK, errors: []int{http.StatusNotFound},
	}, s.planRestore)
	deletion := waitable(route{
		id: "deleteBackup", method: http.MethodDelete, path: "/backups/{name}", tag: "backups", summary: "Delete a backup", scopes: owning,
		description: "For good. If other backups need parts of it, it is gone from every list, and its space is free when they go. `latest` is not understood here: name the backup.",
	})
	add(s, deletion, s.deleteBackup)
}

// onBackup starts a job about the backup that a request names.
func (s *server) onBackup(ctx context.Context, in Named, w WaitBody, begin func(name string) (job.Job, error)) (*startedOutput, error) {
	name, err := in.parsed()
	if err != nil {
		return nil, err
	}
	j, err := begin(name)
	return s.started(ctx, j, err, w)
}

func (s *server) planRestore(ctx context.Context, in *planInput) (*planOutput, error) {
	name, err := in.parsed()
	if err != nil {
		return nil, err
	}
	b := orZero(in.Body)
	plan, err := s.core().Operations.PlanRestore(ctx, b.request(name))
	return &planOutput{Body: plan}, err
}

// deleteBackup takes names only: the newest backup may be another one by the time
// that somebody has decided.
func (s *server) deleteBackup(ctx context.Context, in *deleteInput) (*startedOutput, error) {
	name, err := in.parsed()
	if err == nil && name == latest {
		err = usagef(latest, "a backup is deleted by its name", "the list of backups has it")
	}
	if err != nil {
		return nil, err
	}
	j, err := s.core().Operations.Delete(ctx, caller(ctx), in.Key, operation.DeleteRequest{Names: []string{name}, Grace: in.Grace})
	return s.started(ctx, j, err, WaitBody{in.Wait, in.WaitTimeout})
}

// orZero gives what an absent body means.
func orZero[T any](body *T) T {
	if body == nil {
		var zero T
		return zero
	}
	return *body
}
