package cli

import "github.com/holdfast-backup/holdfast/internal/report"

// holdText says in a line that pruning is on hold, since when, and why.
func holdText(h *report.Hold) string {
	since := ""
	if h.Since != nil {
		since = " since " + moment(h.Since.Time)
	}
	return "on hold" + since + ": " + h.Message
}

// printHold tells people of a hold and how it ends.
func (u *ui) printHold(h *report.Hold) {
	if h != nil {
		u.print("%s\n%s %s\n", u.outPaint.yellow("Pruning is "+clean(holdText(h))+"."), u.outPaint.bold("hint:"), report.HintHold)
	}
}
