package api

import "testing"

func TestHintFor_SaysWhatToRequest(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"holdfast list shows all backups", "GET /api/v1/backups shows all backups"},
		{"`holdfast verify --all` finds every one", "POST /api/v1/verify finds every one"},
		{"`holdfast verify` tries again", "POST /api/v1/backups/latest/verify tries again"},
		{"go back further with `holdfast restore NAME`", "go back further with POST /api/v1/backups/{name}/restore"},
		{"or restore it with `holdfast restore latest --only bot`", "or restore it with POST /api/v1/backups/latest/restore"},
		{"look, then `holdfast prune --confirm`", "look, then POST /api/v1/hold/confirm"},
		{"remove the cause, then run `holdfast recover` again", "remove the cause, then run POST /api/v1/recover again"},
		{"take this one with --force", `take this one with "force":true`},
		{"the log of holdfast serve says more", "the log of holdfast serve says more"},
		{"`holdfast token create` makes one", "`holdfast token create` makes one"},
		{"make one with `holdfast init`, or name it with --repo", "make one with `holdfast init`, or name it with --repo"},
		{"holdfast never writes into a finished backup", "holdfast never writes into a finished backup"},
		{"", ""},
	} {
		if got := hintFor(c.in); got != c.want {
			t.Errorf("hintFor(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}
