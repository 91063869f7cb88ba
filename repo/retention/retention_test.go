package retention_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo/retention"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// backup makes a candidate that is days old; marks set its flags.
func backup(name string, days float64, marks ...string) retention.Candidate {
	c := retention.Candidate{
		Name:      holdfast.BackupName(name),
		CreatedAt: now.Add(-time.Duration(days * 24 * float64(time.Hour))),
	}
	for _, m := range marks {
		switch m {
		case "pinned":
			c.Pinned = true
		case "proven":
			c.Proven = true
		case "damaged":
			c.Damaged = true
		case "unreadable":
			c.Unreadable, c.Damaged, c.CreatedAt = true, true, time.Time{}
		default:
			c.NeededBy = append(c.NeededBy, holdfast.BackupName(m))
		}
	}
	return c
}

// of tells the sources that a backup holds.
func of(c retention.Candidate, sources ...string) retention.Candidate {
	c.Sources = sources
	return c
}

func TestPlan_Reasons(t *testing.T) {
	week := retention.Policy{MaxAge: 7 * 24 * time.Hour}
	for _, c := range []struct {
		name    string
		policy  retention.Policy
		now     time.Time
		backups []retention.Candidate
	}{
		{"empty", week, now, nil},
		{"no_limit", retention.Policy{}, now, []retention.Candidate{backup("a", 0), backup("b", 900)}},
		{"one_old", week, now, []retention.Candidate{backup("only", 400)}},
		{"age", week, now, []retention.Candidate{
			backup("today", 0), backup("six_days", 6), backup("exactly_seven", 7), backup("just_over", 7.01), backup("month", 30),
		}},
		{"hours", retention.Policy{MaxAge: 36 * time.Hour}, now, []retention.Candidate{backup("new", 0), backup("in", 1), backup("out", 2)}},
		{"one_day", retention.Policy{MaxAge: 24 * time.Hour}, now, []retention.Candidate{backup("new", 0), backup("out", 2)}},
		{"odd_duration", retention.Policy{MaxAge: 90*time.Second + time.Millisecond}, now, []retention.Candidate{backup("new", 0), backup("out", 2)}},
		{"kept_for_a_reason", week, now, []retention.Candidate{
			backup("today", 0),
			backup("pinned", 50, "pinned"),
			backup("proven_last", 20, "proven"),
			backup("proven_before", 40, "proven"),
			backup("needed", 30, "today"),
			backup("needed_by_many", 31, "today", "needed", "pinned"),
			backup("of_no_use", 25),
			backup("unreadable", 0, "unreadable"),
		}},
		{"source_damaged_since_two_weeks", week, now, []retention.Candidate{
			backup("damaged_today", 0, "damaged"),
			backup("damaged_5", 5, "damaged"),
			backup("damaged_9", 9, "damaged"),
			backup("last_good", 14),
			backup("good_before", 18),
			backup("good_long_ago", 40),
		}},
		{"backups_of_some_sources_alone", week, now, []retention.Candidate{
			of(backup("emergency_of_bot", 0, "proven"), "bot"),
			of(backup("emergency_of_both", 9, "proven"), "bot", "chromadb"),
			of(backup("both_before", 15, "proven"), "bot", "chromadb"),
			of(backup("both_long_ago", 30, "proven"), "bot", "chromadb"),
			of(backup("bot_alone", 10), "bot"),
			of(backup("once_tried", 200), "notes"),
		}},
		{"all_damaged", week, now, []retention.Candidate{
			backup("d0", 10, "damaged"), backup("d1", 12, "damaged"), backup("d2", 30, "damaged"),
		}},
		{"machine_was_off_for_a_month", week, now, []retention.Candidate{
			backup("before_1", 31), backup("before_2", 33), backup("before_3", 37), backup("before_4", 39),
		}},
		{"clock_jumped_ten_years", week, now.AddDate(10, 0, 0), []retention.Candidate{
			backup("a", 1), backup("b", 3), backup("c", 7.5), backup("d", 9),
		}},
		{"clock_was_ahead", week, now, []retention.Candidate{
			backup("from_next_year", -365, "proven"), backup("from_tomorrow", -1),
			backup("newest_real", 10), backup("proven_real", 30, "proven"), backup("old", 60),
		}},
		{"only_unreadable", week, now, []retention.Candidate{backup("x", 0, "unreadable"), backup("y", 0, "unreadable")}},
		{"same_second", week, now, []retention.Candidate{backup("a", 20), backup("a_2", 20), backup("a_3", 0)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b strings.Builder
			for _, d := range retention.Plan(c.backups, c.policy, c.now) {
				verb := "keep"
				if d.Remove {
					verb = "remove"
				}
				fmt.Fprintf(&b, "%-6s %-16s %s\n", verb, d.Name, d.Reason)
			}
			golden := filepath.Join("testdata", c.name+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatalf("%v (make it with -update and read it)", err)
			}
			if b.String() != string(want) {
				t.Errorf("got\n%swant\n%s", b.String(), want)
			}
		})
	}
}
