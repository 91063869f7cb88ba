//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// table renders results as Markdown.
func table(results []result) string {
	var b strings.Builder
	b.WriteString("| Work | Command | Wall s | Ratio | CPU s | Memory MiB | Left on disk MiB |\n")
	b.WriteString("|---|---|--:|--:|--:|--:|--:|\n")
	for _, r := range results {
		ours := median(r.our, wallOf)
		ratio := ""
		if len(r.their) > 0 {
			ratio = fmt.Sprintf("**%.2f**", float64(ours)/float64(median(r.their, wallOf)))
		}
		writeRow(&b, r.name, r.ours.label, ratio, r.our)
		if len(r.their) > 0 {
			writeRow(&b, "", r.theirs.label, "1", r.their)
		}
	}
	return b.String()
}

func wallOf(r reading) time.Duration { return r.wall }

func writeRow(b *strings.Builder, work, label, ratio string, rs []reading) {
	fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %d | %s |\n", work, label,
		seconds(median(rs, wallOf)), ratio,
		seconds(median(rs, func(r reading) time.Duration { return r.cpu })),
		median(rs, func(r reading) int64 { return r.memory })>>20,
		mib(median(rs, func(r reading) int64 { return r.output })))
}

// seconds keeps three digits of what matters.
func seconds(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.3f", d.Seconds())
	}
	return fmt.Sprintf("%.2f", d.Seconds())
}

func mib(n int64) string {
	if n < 10<<20 {
		return fmt.Sprintf("%.1f", float64(n)/(1<<20))
	}
	return fmt.Sprint(n >> 20)
}

// The table in the document stands between these lines.
const (
	beginMark = "<!-- bench: begin -->\n"
	endMark   = "<!-- bench: end -->\n"
)

// writeTable replaces what stands between the marks of a document.
func writeTable(path, text string) error {
	doc, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(doc, []byte(beginMark))
	_, after, closed := bytes.Cut(rest, []byte(endMark))
	if !ok || !closed {
		return fmt.Errorf("%s: %w", path, errors.New("the marks around the table are missing"))
	}
	out := fmt.Sprintf("%s%s%s%s%s", before, beginMark, text, endMark, after)
	return os.WriteFile(path, []byte(out), 0o644)
}
