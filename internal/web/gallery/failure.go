package gallery

import (
	"net/http"

	"github.com/a-h/templ"

	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/web/site"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// failureStates are the pages of what went wrong.
var failureStates = []State{
	failure("no-page", site.Failure{Status: http.StatusNotFound, Code: "not_found", Words: "site.no_page", Object: "/bakcups"}),
	failure("no-method", site.Failure{Status: http.StatusMethodNotAllowed, Code: "usage", Words: "site.no_method", Object: "/quick"}),
	failure("no-backup", site.Failure{
		Status: http.StatusNotFound, Code: "not_found", Object: "enhanced_backup_20241030_143000",
		Message: "backup enhanced_backup_20241030_143000: there is no such backup", Hint: "`holdfast list` shows the backups", Operation: "K7Q2M9XA",
	}),
	failure("failed", site.Failure{
		Status: http.StatusInternalServerError, Code: "failed", Message: "the request could not be answered",
		Hint: "the log of holdfast serve says more", Operation: "K7Q2M9XA", Retry: true,
	}),
	failure("damaged", site.Failure{
		Status: http.StatusInternalServerError, Code: "damaged", Object: "auto_backup_20241030_144500",
		Message: "read backup auto_backup_20241030_144500: chromadb/chroma.sqlite3.delta.zst: 12 of 4096 blocks do not have the digest that was recorded",
		Hint:    "`holdfast list` shows other backups; `holdfast verify --all` tells which are good", Operation: "K7Q2M9XA", Retry: true,
	}),
	failure("forbidden", site.Failure{
		Status: http.StatusForbidden, Code: "forbidden", Object: "viewer",
		Message: "token viewer: it may not do this: it has the scope read, and this needs backup",
		Hint:    "create another one: holdfast token create NAME --scope backup", Operation: "K7Q2M9XA",
	}),
	failure("locked", site.Failure{
		Status: http.StatusLocked, Code: "locked", Object: "data/chromadb_backup",
		Message: "data/chromadb_backup is in use by holdfast restore (process 4711 on bot-1) since 2026-11-22T09:29:12Z",
		Hint:    "wait until it has ended, or stop it", Operation: "K7Q2M9XA", Retry: true,
	}),
	failure("refused", site.Failure{
		Status: http.StatusConflict, Code: "refused", Object: "data/chromadb",
		Message: "restore data/chromadb: python3 (process 812) has files of it open",
		Hint:    "stop it, or configure hooks.stop", Operation: "K7Q2M9XA",
	}),
	failure("unreachable", site.Failure{
		Status: http.StatusServiceUnavailable, Code: "interrupted", Object: "s3://backups/bot",
		Message: "open repository s3://backups/bot: it did not answer within 1m0s",
		Hint:    "check the network and the endpoint", Operation: "K7Q2M9XA", Retry: true,
	}),
	failure("stopping", site.Failure{
		Status: http.StatusServiceUnavailable, Code: "interrupted", Message: "serve: it is being stopped", Operation: "K7Q2M9XA", Retry: true,
	}),
	failure("too-many", site.Failure{
		Status: http.StatusTooManyRequests, Code: "too_many", Message: "request: more than 600 requests in a minute",
		Hint: "wait, or raise serve.requests_per_minute", Retry: true,
	}),
	failure("long", site.Failure{
		Status: http.StatusNotFound, Code: "not_found",
		Object:  "پشتیبان_پیش_از_بروزرسانی_بزرگ_پاییز_ก่อนอัปเดตครั้งใหญ่_before_the_big_autumn_update_2026-11-22_final_final_2",
		Message: "backup پشتیبان_پیش_از_بروزرسانی_بزرگ_پاییز_ก่อนอัปเดตครั้งใหญ่_before_the_big_autumn_update_2026-11-22_final_final_2: there is no such backup",
	}),
}

// failure makes the state of a page of failure.
func failure(name string, f site.Failure) State {
	title := f.Words
	if title == "" {
		title = "error." + f.Code
	}
	s := State{Page: "failure", Name: name, Section: "none", Title: title, Render: func(p ui.Page) templ.Component { return site.FailureView(p, f) }}
	if f.Status == http.StatusForbidden {
		s.Reader = access.Caller{Name: "viewer", Token: "T1", Scopes: access.Scopes{access.ScopeRead}}
	}
	return s
}
