package api

import (
	"context"
	"net/http"

	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/around"
	"github.com/holdfast-backup/holdfast/internal/operation"
)

type hooksOutput struct{ Body hookList }

type hookList struct {
	Hooks []around.Hook `json:"hooks"`
}

type hookTestInput struct{ Body operation.HookTestRequest }

type hookTestOutput struct{ Body around.Trial }

// addHooks adds what is called around backups and restores.
func (s *server) addHooks() {
	add(s, route{
		id: "listHooks", method: http.MethodGet, path: "/hooks", tag: "state", scopes: []access.Scope{access.ScopeAdmin}, status: http.StatusOK,
		summary:     "What is called around backups and restores",
		description: "Commands, webhooks and the dead man's switch, as they are configured, without secrets.",
	}, func(context.Context, *nothing) (*hooksOutput, error) {
		return &hooksOutput{hookList{s.core().Operations.Hooks()}}, nil
	})
	add(s, route{
		id: "testHook", method: http.MethodPost, path: "/hooks/test", tag: "state", scopes: []access.Scope{access.ScopeAdmin}, status: http.StatusOK,
		errors:  []int{http.StatusNotFound},
		summary: "Call one of them now",
		description: "A command is run for real, with HOLDFAST_OP=test; stop_start runs the command that stops what uses the data and then the one that starts it. " +
			"A webhook gets a signed message of the event test. The dead man's switch is told of a success. The answer comes when it has ended, and tells how.",
	}, func(ctx context.Context, in *hookTestInput) (*hookTestOutput, error) {
		out, err := s.core().Operations.TestHook(ctx, in.Body)
		return &hookTestOutput{out}, err
	})
}
