package api

import (
	"context"
	"net/http"

	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/history"
)

type historyInput struct {
	Days int `query:"days" minimum:"1" maximum:"400" default:"30" doc:"Of so many days up to now."`
}

type historyOutput struct{ Body historyBody }

// A historyBody is what happened when.
type historyBody struct {
	Type          string `json:"type" enum:"history"`
	BucketSeconds int64  `json:"bucket_seconds" doc:"How long a bucket is."`
	history.Log
}

// addHistory adds what happened, longer than backups are kept.
func (s *server) addHistory() {
	add(s, route{
		id: "getHistory", method: http.MethodGet, path: "/history", tag: "state", summary: "What happened when",
		description: "Backups that were made, checks that found nothing new, failures, missed runs, proofs and sizes, by half hours of UTC in the order of time; half hours without any of it are left out. It knows of backups that are not kept any more.",
		scopes:      []access.Scope{access.ScopeRead}, status: http.StatusOK,
	}, func(_ context.Context, in *historyInput) (*historyOutput, error) {
		out := historyBody{Type: "history", BucketSeconds: int64(history.Width.Seconds()), Log: history.Log{Buckets: []history.Bucket{}}}
		if of := s.core().History; of != nil {
			out.Log = of(in.Days)
		}
		return &historyOutput{out}, nil
	})
}
