//go:build linux

package main

import (
	"fmt"
	"strings"
)

// A verdict is what became of a target.
type verdict struct {
	what    string
	limit   float64
	reached float64
	beside  string // what it was compared with
}

// ok tells whether the target was reached.
func (v verdict) ok() bool { return v.reached <= v.limit }

// A goal is one target of a course: a figure of holdfast's divided by that of
// the best of some tools.
type goal struct {
	step   step
	figure figure
	limit  float64
	beside string // a tool; empty is the best consistent one
}

// A figure is one number of a reading.
type figure struct {
	words string
	of    func([]reading) float64
}

var (
	elapsed = figure{"time", func(rs []reading) float64 { return median(rs, wallOf).Seconds() }}
	effort  = figure{"CPU", func(rs []reading) float64 { return median(rs, cpuOf).Seconds() }}
	growth  = figure{"bytes", func(rs []reading) float64 { return float64(median(rs, outputOf)) }}
)

// goals are what holdfast has to reach, for data of any size and for the small
// database of a bot.
var (
	goals = []goal{
		{full, elapsed, 0.65, simple},
		{full, elapsed, 0.4, restic},
		{full, growth, 1.15, simple},
		{increment, growth, 1.0 / 8, ""},
		{increment, elapsed, 1.0 / 10, ""},
		{unchanged, elapsed, 1.0 / 10, ""},
		{restore, elapsed, 1, restic},
		{restore, elapsed, 1, simple},
	}
	botGoals = []goal{
		{full, elapsed, 0.7, simple},
		{full, elapsed, 0.1, restic},
		{restore, elapsed, 1, simple},
		{restore, elapsed, 0.1, restic},
	}
)

// maxMemory is what holdfast may have resident, whatever the size of the data.
const maxMemory = 100 << 20

// verdicts says which goals a course reached, those that it measured.
func (c *course) verdicts() []verdict {
	all := goals
	if c.key == "bot" {
		all = botGoals
	}
	var vs []verdict
	for _, g := range all {
		mine := c.rounds[g.step][ours]
		against, best := c.best(g)
		if len(mine) == 0 || against == nil {
			continue
		}
		vs = append(vs, verdict{
			what:  fmt.Sprintf("%s: %s, %s", c.title, g.step.words(), g.figure.words),
			limit: g.limit, reached: g.figure.of(mine) / best, beside: against.label,
		})
	}
	var most float64
	for _, rounds := range c.rounds {
		for _, r := range rounds[ours] {
			most = max(most, float64(r.memory))
		}
	}
	if most > 0 {
		vs = append(vs, verdict{what: c.title + ": resident memory, most of all steps", limit: 1, reached: most / maxMemory, beside: fmt.Sprintf("%d MiB", maxMemory>>20)})
	}
	return vs
}

// best finds the tool that a goal is measured by, and its figure.
func (c *course) best(g goal) (*tool, float64) {
	var found *tool
	var least float64
	for i, t := range c.tools {
		if t.key == ours || (g.beside != "" && t.key != g.beside) || (g.beside == "" && (!t.consistent || t.follows)) {
			continue
		}
		rs := c.rounds[g.step][t.key]
		if len(rs) == 0 {
			continue
		}
		if value := g.figure.of(rs); value > 0 && (found == nil || value < least) {
			found, least = &c.tools[i], value
		}
	}
	return found, least
}

// targetTable renders the verdicts.
func targetTable(courses []*course) string {
	var b strings.Builder
	for _, c := range courses {
		for _, v := range c.verdicts() {
			outcome := "reached"
			if !v.ok() {
				outcome = "**missed**"
			}
			fmt.Fprintf(&b, "| %s | %s | ≤ %.3g | **%.3g** | %s |\n", v.what, v.beside, v.limit, v.reached, outcome)
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "### Targets\n\nholdfast's figure divided by that of the other.\n\n| Target | Beside | Limit | Ratio | |\n|---|---|--:|--:|---|\n" + b.String() + "\n"
}
