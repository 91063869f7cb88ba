package locale

import "testing"

// TestT_SaysWhatTheTemplateSays: a sentence that was taken apart is the same as the one
// that the catalogue's template makes, whatever stands in it.
func TestT_SaysWhatTheTemplateSays(t *testing.T) {
	values := []any{"bot.db", "ไทย \u2069 فارسی", "{{.name}} & <b>", 12345, int64(-7), Said("22 November"), true, ""}
	fast := 0
	each(t, func(s said) {
		l := Of(s.lang)
		var args []any
		for i, name := range slots(s.text) {
			args = append(args, name, values[(len(s.id)+i)%len(values)])
		}
		if len(args) == 0 || s.form != "" {
			return
		}
		if l.sentence(s.id) != nil {
			fast++
		}
		args = append(args, "nobody", "asked")
		if got, want := l.T(s.id, args...), l.tell(s.id, args); got != want {
			t.Errorf("%s: got %q, want %q", s, got, want)
		}
		if got, want := l.T(s.id, args[2:]...), l.tell(s.id, args[2:]); got != want {
			t.Errorf("%s without a value: got %q, want %q", s, got, want)
		}
	})
	if fast == 0 {
		t.Error("no sentence was taken apart")
	}
}
