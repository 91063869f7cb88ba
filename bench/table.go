//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// A report is all that was measured.
type report struct {
	courses  []*course
	contests []result
	limits   *limits
	foot     string // circumstances
}

// markdown renders the report: targets and ratios first, then what they are
// made of.
func (r report) markdown() string {
	var b strings.Builder
	b.WriteString(targetTable(r.courses))
	for _, c := range r.courses {
		fmt.Fprintf(&b, "### %s: ratios\n\n%s\n", c.title, c.ratioTable())
	}
	if r.limits != nil {
		b.WriteString(r.limits.table(r.courses))
	}
	for _, c := range r.courses {
		fmt.Fprintf(&b, "### %s: medians\n\n%s\n", c.title, c.medianTable())
	}
	if len(r.contests) > 0 {
		fmt.Fprintf(&b, "### Single commands\n\n%s\n", contestTable(r.contests))
	}
	return b.String() + r.foot
}

// ratioTable has a row for each tool: holdfast's figures divided by its.
func (c *course) ratioTable() string {
	var b strings.Builder
	b.WriteString("| holdfast divided by | Right while written to | Synced |")
	line := "|---|---|---|"
	for _, st := range c.steps {
		for i, f := range st.figures() {
			name := f.words
			if i == 0 {
				name = string(st) + ": " + name
			}
			b.WriteString(" " + name + " |")
			line += "--:|"
		}
	}
	b.WriteString("\n" + line + "\n")
	for _, t := range c.tools {
		if t.key == ours {
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %s |", t.label, yesNo(t.consistent), t.syncs)
		for _, st := range c.steps {
			for _, f := range st.figures() {
				b.WriteString(" " + ratio(f, c.rounds[st][ours], c.rounds[st][t.key]) + " |")
			}
		}
		b.WriteString("\n")
	}
	for _, label := range c.absent {
		fmt.Fprintf(&b, "| %s | not installed here; bench/peers.sh installs it |%s\n", label, strings.Repeat(" |", strings.Count(line, "|")-3))
	}
	return b.String()
}

// figures are what tools are compared by in a step.
func (s step) figures() []figure {
	if s == full || s == increment {
		return []figure{elapsed, effort, growth}
	}
	return []figure{elapsed, effort}
}

// ratio of two medians, or nothing.
func ratio(f figure, mine, its []reading) string {
	if len(mine) == 0 || len(its) == 0 || f.of(its) <= 0 {
		return ""
	}
	return fmt.Sprintf("**%.2g**", f.of(mine)/f.of(its))
}

// medianTable has a row for each step of each tool.
func (c *course) medianTable() string {
	var b strings.Builder
	b.WriteString("| Step | Tool | Wall s | CPU s | Memory MiB | Growth MiB |\n|---|---|--:|--:|--:|--:|\n")
	for _, st := range c.steps {
		name := st.words()
		for _, t := range c.tools {
			if rs := c.rounds[st][t.key]; len(rs) > 0 {
				writeRow(&b, name, t.label, rs)
				name = ""
			}
		}
	}
	fmt.Fprintf(&b, "\n%d MiB on disk.", c.bytes>>20)
	if len(c.changes) > 0 {
		fmt.Fprintf(&b, " The change (%s) touched %d pages of 4 KiB: %s MiB, or %s MiB packed together and compressed at zstd's fastest level.", c.changed,
			middle(pick(c.changes, func(d changes) int64 { return int64(d.Pages) })),
			mib(middle(pick(c.changes, func(d changes) int64 { return d.Bytes }))),
			mib(middle(pick(c.changes, func(d changes) int64 { return d.Packed }))))
	}
	b.WriteString("\n")
	return b.String()
}

func writeRow(b *strings.Builder, first, label string, rs []reading) {
	fmt.Fprintf(b, "| %s | %s | %s | %s | %d | %s |\n", first, label,
		seconds(median(rs, wallOf)), seconds(median(rs, cpuOf)), median(rs, memoryOf)>>20, mib(median(rs, outputOf)))
}

// contestTable has two rows for each contest.
func contestTable(results []result) string {
	var b strings.Builder
	b.WriteString("| Work | Command | Ratio | Wall s | CPU s | Memory MiB | Left on disk MiB |\n|---|---|--:|--:|--:|--:|--:|\n")
	for _, r := range results {
		writeRow(&b, r.name, r.ours.label+" | "+ratio(elapsed, r.our, r.their), r.our)
		if len(r.their) > 0 {
			writeRow(&b, "", r.theirs.label+" | 1", r.their)
		}
	}
	return b.String()
}

// table renders the limits of the machine and, for each course, how far
// holdfast is from them.
func (l limits) table(courses []*course) string {
	var b strings.Builder
	b.WriteString("### What the machine can do\n\n| With two cores, in memory | MB/s |\n|---|--:|\n")
	for _, row := range []struct {
		what string
		rate float64
	}{
		{"reading from the page cache", l.Read},
		{"BLAKE3 of each 4 KiB", l.Hash},
		{"zstd, fastest level, 256 KiB frames", l.Compress},
		{"zstd, decompressing the same", l.Decompress},
		{"SHA-256", l.Sum},
		{"writing a file and syncing it (one core)", l.Write},
	} {
		fmt.Fprintf(&b, "| %s | %.0f |\n", row.what, row.rate/1e6)
	}
	b.WriteString("\n| Subject | Step | Least possible s | holdfast s | Factor | The least is |\n|---|---|--:|--:|--:|---|\n")
	for _, c := range courses {
		var changed int64
		if len(c.changes) > 0 {
			changed = middle(pick(c.changes, func(d changes) int64 { return d.Bytes }))
		}
		for _, f := range l.floors(c.bytes, changed) {
			rs := c.rounds[f.step][ours]
			if len(rs) == 0 {
				continue
			}
			took := median(rs, wallOf)
			fmt.Fprintf(&b, "| %s | %s | %s | %s | **%.2f** | %s |\n", c.title, f.step.words(), seconds(f.takes), seconds(took), float64(took)/float64(f.takes), f.why)
		}
	}
	return b.String() + "\n"
}

// pick takes one number from each item.
func pick[T any, N any](items []T, of func(T) N) []N {
	var out []N
	for item := range slices.Values(items) {
		out = append(out, of(item))
	}
	return out
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// seconds keeps three digits of what matters.
func seconds(d time.Duration) string {
	if d == 0 {
		return "" // not measured
	}
	if d < time.Second {
		return fmt.Sprintf("%.3f", d.Seconds())
	}
	return fmt.Sprintf("%.2f", d.Seconds())
}

func mib(n int64) string {
	if n < 10<<20 {
		return fmt.Sprintf("%.2f", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f", float64(n)/(1<<20))
}

// The parts of the document that this program writes. A part stands between
// two comments that name it.
const (
	partTables   = "bench"
	partStarts   = "bench starts"
	partAPI      = "bench api"
	partUI       = "bench ui"
	partProxy    = "bench proxy"
	partRequests = "bench requests"
	partLooks    = "bench looks"
)

// partMarks are the lines around a part.
func partMarks(part string) (begin, end string) {
	return "<!-- " + part + ": begin -->\n", "<!-- " + part + ": end -->\n"
}

// writeTables replaces a part of a document.
func writeTables(path, part, text string) error {
	doc, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	out, err := between(doc, part, text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, out, 0o644)
}

// between replaces what stands between the marks of a part.
func between(doc []byte, part, text string) ([]byte, error) {
	beginMark, endMark := partMarks(part)
	before, rest, ok := bytes.Cut(doc, []byte(beginMark))
	_, after, closed := bytes.Cut(rest, []byte(endMark))
	if !ok || !closed {
		return nil, fmt.Errorf("the marks around the tables are missing: %s", part)
	}
	return fmt.Appendf(nil, "%s%s%s%s%s", before, beginMark, text, endMark, after), nil
}
