package details

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// Title is the name of a backup, kept apart from the text around it.
func Title(l *locale.Locale, name holdfast.BackupName) string {
	return l.T("details.title", "name", string(name))
}

// verdict tells in one sentence whether the backup can be relied on.
func verdict(p ui.Page, m Model) string { return p.L.T("details.verdict_" + string(Judge(m))) }

// because says since when that is known, and what to do.
func because(p ui.Page, m Model) string {
	j := Judge(m)
	said := func(at holdfast.Time) string {
		return p.L.T("details.because_"+string(j), "when", locale.Said(ui.Relative(p, at.Time)))
	}
	switch j {
	case Drilled:
		return said(when(m.Show.Proofs, holdfast.ProofDrill))
	case Verified:
		return said(when(m.Show.Proofs, holdfast.ProofVerify))
	case Stored:
		return said(when(m.Show.Proofs, holdfast.ProofStored))
	case Disproven:
		failed, _ := disproof(m.Show.Proofs)
		return said(failed.At)
	}
	return p.L.T("details.because_" + string(j))
}

// formReason tells why a backup has the form that it has, as far as it says.
func formReason(l *locale.Locale, m *holdfast.Metadata) string {
	if m.Chain == nil {
		return l.T("details.form_full")
	}
	return l.N("details.form_delta", int64(m.Chain.Deltas)+1)
}

// stall tells how long writers had to wait.
func stall(l *locale.Locale, ms float64) string {
	if ms < 1 {
		return l.T("details.stall_none")
	}
	return l.T("details.stall", "time", locale.Said(l.Duration(time.Duration(ms*float64(time.Millisecond)))))
}

// tables are those of a database, the largest first.
func tables(f *holdfast.SQLiteFacts) []string {
	return slices.SortedFunc(maps.Keys(f.Tables), func(a, b string) int {
		if f.Tables[a] != f.Tables[b] {
			if f.Tables[a] > f.Tables[b] {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
}

// keys are the metadata keys of memories, the most frequent first.
func keys(counts map[string]int64) []string {
	return slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		switch {
		case counts[a] > counts[b]:
			return -1
		case counts[a] < counts[b]:
			return 1
		}
		return strings.Compare(a, b)
	})
}

// commands are the same on the command line.
func commands(name holdfast.BackupName) string {
	n := quoted(string(name))
	return "holdfast show " + n + "\nholdfast verify " + n + "\nholdfast drill " + n + "\nholdfast restore " + n + "\nholdfast export " + n + " ./" + n
}

// byHand checks the stored files without holdfast.
func byHand(m Model) string {
	return "cd " + quoted(strings.TrimSuffix(m.Show.Repository, "/")+"/"+string(m.Name)) + "\nsha256sum -c SHA256SUMS"
}

// onDisk tells whether the backup lies in a directory, in which one can look by hand.
func onDisk(m Model) bool {
	return m.Show.Repository != "" && !strings.Contains(m.Show.Repository, "://")
}

// quoted makes a word of a shell out of a text.
func quoted(s string) string {
	plain := func(r rune) bool {
		return !(r == '.' || r == '_' || r == '-' || r == '/' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z')
	}
	if s != "" && strings.IndexFunc(s, plain) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// download is where an archive of the backup is.
func download(name holdfast.BackupName, format string) string {
	return "/api/v1" + Path(name) + "/download?format=" + format
}

// filesPath is the page of the files of a source from a path on.
func filesPath(name holdfast.BackupName, source, after string) string {
	q := url.Values{}
	if source != "" {
		q.Set("source", source)
	}
	if after != "" {
		q.Set("after", after)
	}
	path := Path(name) + "/files"
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return path
}

// pager leads through the files.
func (m FilesModel) pager() ui.PagerModel {
	out := ui.PagerModel{From: int64(m.Page.Index + 1), To: int64(m.Page.Index + len(m.Page.Files)), Total: int64(m.Page.Total)}
	if m.Page.Index > 0 {
		out.Prev = filesPath(m.Name, m.Source, m.Page.Prev)
	}
	if m.Page.Next != "" {
		out.Next = filesPath(m.Name, m.Source, m.Page.Next)
	}
	return out
}

// tabs lead to the files of each source.
func (m FilesModel) tabs(l *locale.Locale) []ui.Tab {
	out := []ui.Tab{{Label: l.T("details.all_files"), Href: filesPath(m.Name, "", ""), Current: m.Source == ""}}
	for _, s := range m.Sources {
		out = append(out, ui.Tab{Label: s, Href: filesPath(m.Name, s, ""), Current: m.Source == s})
	}
	return out
}

// proofs are those of a backup, the newest first.
func proofs(show report.Show) []holdfast.Proof {
	out := slices.Clone(show.Proofs)
	slices.SortStableFunc(out, func(a, b holdfast.Proof) int { return b.At.Compare(a.At.Time) })
	return out
}

// failedComparisons are what a drill found different.
func failedComparisons(p holdfast.Proof) (bad []holdfast.Comparison) {
	for _, c := range p.Compared {
		if !c.OK {
			bad = append(bad, c)
		}
	}
	return bad
}

// pinPath is where the form of the pin is sent.
func pinPath(m Model) string {
	if m.Show.Backup.Pinned {
		return Path(m.Name) + "/unpin"
	}
	return Path(m.Name) + "/pin"
}

// mostTables is how many tables are shown unfolded.
const mostTables = 12

// stateTones are the colours of the states of jobs.
var stateTones = map[job.State]ui.Tone{
	job.Queued: ui.Calm, job.Running: ui.Calm, job.Succeeded: ui.Good, job.Incomplete: ui.Warn,
	job.Failed: ui.Bad, job.Cancelled: ui.Warn, job.Interrupted: ui.Warn,
}

// checkOf is the outcome of a database's own check; empty where there is none.
func checkOf(f holdfast.Facts) holdfast.CheckState {
	switch {
	case f.SQLite != nil:
		return f.SQLite.QuickCheck
	case f.Chroma != nil:
		return f.Chroma.QuickCheck
	}
	return ""
}

// consistencyOf tells whether a capture by requests is of one instant; empty of any other.
func consistencyOf(f holdfast.Facts) holdfast.Consistency {
	if f.Chroma == nil || f.Chroma.Server == nil {
		return ""
	}
	return f.Chroma.Server.Consistency
}

// fileCount is how many files the sources have.
func fileCount(m Model) (n int64) {
	for _, s := range m.Show.Metadata.Sources {
		n += s.Files
	}
	return n
}

func yesNo(b bool) string { return strconv.FormatBool(b) }

// megabytes writes the manual's size as the metadata has it.
func megabytes(mb float64) string { return strconv.FormatFloat(mb, 'f', -1, 64) }
