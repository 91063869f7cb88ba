//go:build linux

package test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/telegramtest"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
)

// A backup of a new server comes back into an older one from the chat: what that cannot
// keep is named before, who has to look again afterwards, and it is undone from there, too.
func fromTheChat(t *testing.T, f fleet) {
	older, newer := f[chromatest.Old].of(t), f[chromatest.New].of(t)
	tenant := newer.newTenant()
	listed := notes(3)
	listed[1].Metadata["words"] = []any{"a", "b"}
	newer.fill(tenant, "listed", listed...)
	older.must(older.CreateTenant(t.Context(), tenant))
	older.must(older.CreateDatabase(t.Context(), tenant, api.DefaultDatabase))
	older.fill(tenant, "listed", notes(2)...)
	before := older.state(tenant)

	m := newMachine(t).asks(newer.url, tenant)
	m.must(0, "backup", "--name", "with_lists")
	s := telegramtest.Start(t, telegramtest.Options{})
	m.asks(older.url, tenant).with("HOLDFAST_TELEGRAM_API="+s.URL, "HOLDFAST_TELEGRAM_TOKEN="+s.Token, fmt.Sprintf("HOLDFAST_TELEGRAM_ADMINS=%d", ann),
		"HOLDFAST_SCHEDULE_EVERY=off", "HOLDFAST_VERIFY_EVERY=off", "HOLDFAST_DRILL_EVERY=off")
	port := freePort(t)
	d := m.serve(port, binary, "serve", "--listen", "127.0.0.1:"+port)
	user, l := s.User(ann, "Ann", "en"), locale.Of(locale.English)
	presses := func(has telegramtest.Message, label string, wanted ...string) telegramtest.Message {
		t.Helper()
		user.Presses(has, label)
		return s.Await(ann, label, func(m telegramtest.Message) bool {
			for _, part := range wanted {
				if !strings.Contains(m.Text, part) {
					return false
				}
			}
			return m.FromBot()
		})
	}
	user.Says(0, "/backup")
	at := said(s, l.T("panel.statistics"))
	at = presses(at, "📋 "+l.T("panel.list"), "with_lists")
	at = presses(at, "1", l.T("details.inside"), "listed")
	at = presses(at, "♻️ "+l.T("details.restore"), l.T("restore.losses"), "arrays", l.N("restore.change.more", 1))
	if has(at, l.T("restore.begin")) {
		t.Errorf("there is a button that does not say that something is lost: %v", at.Buttons())
	}
	at = presses(at, "⚠️ "+l.T("restore.losses.accept"), l.T("jobs.fact_reload"), "listed")
	if got := older.state(tenant)[tenant+"/"+api.DefaultDatabase+"/listed"]; len(got.records) != 3 {
		t.Errorf("the older server has %d records, want 3", len(got.records))
	}
	at = presses(at, "↩️ "+l.T("panel.rollback"), l.T("restore.rollback.lead"), l.N("restore.change.less", 1))
	presses(at, "↩️ "+l.T("restore.rollback.begin"), l.T("jobs.rollback_good"))
	same(t, "what was undone", older.state(tenant), before, func(f float64) float64 { return f })
	wantExit(t, d, d.end(), 0)
}
