package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo"
)

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestNewError(t *testing.T) {
	locked := &holdfast.LockedError{Object: "repository", Owner: holdfast.Owner{Host: "box", PID: 7, Purpose: "backup", Since: time.Unix(0, 0)}}
	stage := &holdfast.Error{Op: "stage", Object: "bot.db", Err: holdfast.Kindf(holdfast.ErrRefused, "no space"), Hint: "free some"}
	for _, c := range []struct {
		err  error
		want string
	}{
		{errors.New("odd"), `{"type":"error","command":"restore","code":"failed","exit":1,"message":"odd"}`},
		{
			fmt.Errorf("restore: %w", error(stage)),
			`{"type":"error","command":"restore","code":"refused","exit":13,"op":"stage","object":"bot.db","message":"restore: stage bot.db: no space","hint":"free some"}`,
		},
		{
			locked,
			`{"type":"error","command":"restore","code":"locked","exit":11,"message":"repository is in use by process 7 on box (backup, since 1970-01-01T00:00:00Z)","hint":"wait until it has ended, or stop it"}`,
		},
		{fmt.Errorf("restore: %w", context.Canceled), `{"type":"error","command":"restore","code":"interrupted","exit":130,"message":"interrupted"}`},
		{
			RestoreError(&engine.RestoreResult{RolledBack: true}, stage),
			`{"type":"error","command":"restore","code":"refused","exit":13,"op":"stage","object":"bot.db","message":"stage bot.db: no space; the previous state is back in place","hint":"free some"}`,
		},
		{
			errors.Join(stage, errors.New("odd")),
			`{"type":"error","command":"restore","code":"refused","exit":13,"op":"stage","object":"bot.db","message":"stage bot.db: no space","hint":"free some","errors":[{"op":"stage","object":"bot.db","message":"stage bot.db: no space","hint":"free some"},{"message":"odd"}]}`,
		},
	} {
		if got := jsonOf(t, NewError("restore", holdfast.ExitCode(c.err), c.err)); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestCode_EveryExitCodeHasAWord(t *testing.T) {
	words := map[string]bool{}
	for _, exit := range []int{
		holdfast.ExitFailed, holdfast.ExitUsage, holdfast.ExitIncomplete, holdfast.ExitNotFound, holdfast.ExitLocked,
		holdfast.ExitDamaged, holdfast.ExitRefused, holdfast.ExitInterrupted,
	} {
		words[Code(exit)] = true
	}
	if len(words) != 8 || words[""] || Code(holdfast.ExitDone) != "" {
		t.Errorf("the words are %v", words)
	}
}

func TestNewBackup_TellsProofAndDrill(t *testing.T) {
	at := func(minute int) holdfast.Time {
		return holdfast.At(time.Date(2024, 10, 30, 14, minute, 0, 0, time.UTC))
	}
	i := repo.Info{Name: "monday", Err: errors.New("damaged"), Pinned: true, Proofs: []holdfast.Proof{
		{At: at(1), Kind: holdfast.ProofDrill, OK: true, RestoreMS: 900},
		{At: at(2), Kind: holdfast.ProofDrill, OK: true, RestoreMS: 700},
		{At: at(3), Kind: holdfast.ProofVerify, OK: true},
	}}
	want := `{"name":"monday","includes_memory":false,"records":0,"logical_bytes":0,"stored_bytes":0,"duration_ms":0,"writer_stall_ms":0,"sources":[],"pinned":true,` +
		`"proven":{"at":"2024-10-30T14:03:00.000Z","kind":"verify"},"drilled":{"at":"2024-10-30T14:02:00.000Z","ok":true,"restore_ms":700},"error":"damaged"}`
	if got := jsonOf(t, NewBackup(i)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestList_CopiesFromReplicas(t *testing.T) {
	l := NewList("/backups")
	l.Here(infosOf("new", "old"))
	l.There([]engine.ReplicaState{{Name: "nas", Backups: append(infosOf("new"), repo.Info{Name: "older", Metadata: &holdfast.Metadata{CreatedAt: holdfast.At(time.Unix(0, 0)), StoredBytes: 5}})}})
	got := ""
	for _, b := range l.Backups {
		got += fmt.Sprint(b.Name, b.Copies, " ")
	}
	if want := "new[repository nas] old[repository] older[nas] "; got != want || l.StoredBytes != 0 {
		t.Errorf("got %s with %d bytes here, want %s with none", got, l.StoredBytes, want)
	}
}
