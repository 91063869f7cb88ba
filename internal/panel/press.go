package panel

import (
	"context"

	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/panel/screen"
)

// do does what a button asks for, and gives what is said to whoever pressed it; empty:
// the screen says it.
func (v *visit) do(ctx context.Context, a screen.Action, data string) (said string) {
	switch a.Verb {
	case screen.DoAdmin:
		v.admin(ctx, screen.Admin)
	case screen.DoSystem:
		v.admin(ctx, screen.System)
	case screen.DoHelp:
		v.show(ctx, screen.Help(v.r))
	case screen.DoLanguage:
		return v.language(ctx, a.Arg)
	case screen.DoCreate:
		v.show(ctx, screen.Create(v.r))
	case screen.DoQuick, screen.DoEnhanced:
		return v.backUp(ctx, a, data)
	case screen.DoName:
		v.askName(ctx)
	case screen.DoList:
		v.list(ctx, a.Page)
	case screen.DoDetails:
		v.details(ctx, a)
	case screen.DoVerify:
		return v.verify(ctx, a, data)
	case screen.DoRestore:
		v.askRestore(ctx, a, "")
	case screen.RestoreNow:
		return v.restore(ctx, a, data)
	case screen.DoRollback:
		v.askRollback(ctx, "")
	case screen.RollNow:
		return v.rollback(ctx, a, data)
	case screen.DoRecover:
		v.askRecover(ctx, "")
	case screen.RecoverNow:
		return v.recover(ctx, a, data)
	case screen.DoSend:
		v.askSend(ctx, a)
	case screen.AskClear:
		v.askClear(ctx, a, "")
	case screen.SendSealed, screen.SendClear:
		return v.send(ctx, a)
	case screen.StopSend:
		return v.stopSend(ctx, a.Arg)
	case screen.DoHold:
		return v.confirmHold(ctx, data)
	case screen.DoWork:
		v.work(ctx, a.Arg)
	case screen.StopWork:
		return v.stop(ctx, a.Arg)
	default:
		if a.Arg == screen.Anew {
			v.message = 0
		}
		v.overview(ctx)
		return v.r.L.T("panel.toast.now")
	}
	return ""
}

// admin shows one of the first screens.
func (v *visit) admin(ctx context.Context, draw func(screen.Reader, screen.Menu) screen.Screen) {
	m := screen.Menu{Back: v.back(), Version: v.p.o.Version}
	looked, cancel := looking(ctx)
	defer cancel()
	if st, err := v.core.Status(looked); err == nil {
		m.Verdict = st.Verdict
	}
	v.show(ctx, draw(v.r, m))
}

// back is the button to the menu of the bot; nil: there is none.
func (v *visit) back() *screen.Button {
	b := v.p.o.Back
	if b == nil {
		return nil
	}
	label := b.Text[string(v.r.L.Lang())]
	if label == "" {
		label = b.Text[string(locale.English)]
	}
	return &screen.Button{Label: label, Data: b.Data}
}

// language asks in which language to speak, or speaks the one that was chosen.
func (v *visit) language(ctx context.Context, chosen string) (said string) {
	for _, lang := range locale.Languages() {
		if string(lang) != chosen {
			continue
		}
		v.p.unkept(v.p.state.change(func(k *kept) { k.Languages[v.user.ID] = lang }))
		v.r.L = locale.Of(lang)
		v.overview(ctx)
		return v.r.L.T("panel.language.set")
	}
	v.show(ctx, screen.Languages(v.r))
	return ""
}
