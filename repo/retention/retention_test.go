package retention_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
		Name:        holdfast.BackupName(name),
		CreatedAt:   now.Add(-time.Duration(days * 24 * float64(time.Hour))),
		StoredBytes: 1000,
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
		case "auto", "emergency":
			c.Trigger = holdfast.Trigger(m)
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

// every makes backups with a fixed time between them, the newest first.
func every(hours float64, n int, fromDays float64, marks ...string) []retention.Candidate {
	var all []retention.Candidate
	for i := range n {
		days := fromDays + float64(i)*hours/24
		name := now.Add(-time.Duration(days * 24 * float64(time.Hour))).Format("0102_1504")
		all = append(all, backup(strings.Join(append(marks, name), "_"), days, marks...))
	}
	return all
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
			backup("today", 0), backup("two_days", 2), backup("four_days", 4), backup("six_days", 6), backup("exactly_seven", 7),
			backup("just_over", 7.01), backup("month", 30),
		}},
		{"hours", retention.Policy{MaxAge: 36 * time.Hour}, now, every(12, 6, 0)},
		{"one_day", retention.Policy{MaxAge: 24 * time.Hour}, now, every(6, 7, 0)},
		{"odd_duration", retention.Policy{MaxAge: 90*time.Second + time.Millisecond}, now, every(1./120, 6, 0)},
		{"kept_for_a_reason", week, now, slices.Concat(every(24, 7, 0), []retention.Candidate{
			backup("pinned", 50, "pinned"),
			backup("proven_last", 20, "proven"),
			backup("proven_before", 40, "proven"),
			backup("of_no_use", 25),
			backup("unreadable", 0, "unreadable"),
		})},
		{"needed_by_others", week, now, slices.Concat(every(24, 8, 0), []retention.Candidate{
			backup("by_one_that_stays", 30, "1122_1200"),
			backup("by_one_that_goes", 31, "by_one_that_stays"),
			backup("by_both", 32, "1122_1200", "by_one_that_stays"),
			backup("by_many", 33, "1122_1200", "1121_1200", "1120_1200"),
			backup("pinned", 34, "pinned", "1122_1200"),
			backup("by_nobody_known", 35, "elsewhere"),
		})},
		{"keep_last", retention.Policy{KeepLast: 3}, now, slices.Concat(every(24, 6, 0), []retention.Candidate{
			backup("emergency_today", 0.1, "emergency"), backup("damaged_1", 1.1, "damaged"), backup("pinned", 1.2, "pinned"),
		})},
		{"keep_one", retention.Policy{KeepLast: 1}, now, every(24, 3, 0)},
		{"age_or_last", retention.Policy{MaxAge: 2 * 24 * time.Hour, KeepLast: 6}, now, every(12, 9, 0)},
		{"periods", retention.Policy{Hourly: 3, Daily: 3, Weekly: 3, Monthly: 3, Yearly: 3}, now, slices.Concat(
			every(0.5, 8, 0), every(8, 12, 1), every(24*6, 10, 6), every(24*40, 20, 70),
		)},
		{"days_with_a_week_around", retention.Policy{MaxAge: 2 * 24 * time.Hour, Daily: 5, Weekly: 4}, now, every(12, 50, 0)},
		{"week_of_two_years", retention.Policy{Weekly: 4}, time.Date(2027, 1, 6, 12, 0, 0, 0, time.UTC), every(24, 14, -45)},
		{"periods_without_backups_do_not_count", retention.Policy{Daily: 4}, now, slices.Concat(every(24, 2, 0), every(24, 4, 60))},
		{"periods_of_lesser_backups", retention.Policy{Daily: 4}, now, []retention.Candidate{
			backup("good_today", 0.4), backup("damaged_today", 0.1, "damaged"), backup("emergency_today", 0, "emergency"),
			backup("emergency_yesterday", 1, "emergency"), backup("damaged_yesterday", 1.1, "damaged"), backup("older_yesterday", 1.2, "emergency"),
			backup("damaged_2", 2, "damaged"), backup("good_3", 3), backup("good_4", 4), backup("good_5", 5), backup("good_6", 6),
			backup("damaged_7", 7, "damaged"), backup("emergency_8", 8, "emergency"),
		}},
		{"periods_of_each_source", retention.Policy{Daily: 2}, now, []retention.Candidate{
			of(backup("bot_0", 0), "bot"), of(backup("bot_1", 1), "bot"), of(backup("bot_2", 2), "bot"),
			of(backup("both_1", 1.1), "bot", "chromadb"), of(backup("both_2", 2.1), "bot", "chromadb"), of(backup("both_3", 3.1), "bot", "chromadb"),
		}},
		{"auto_and_emergency_go_sooner", retention.Policy{MaxAge: 7 * 24 * time.Hour, TriggerAge: map[holdfast.Trigger]time.Duration{
			holdfast.TriggerAuto: 24 * time.Hour, holdfast.TriggerEmergency: 2 * 24 * time.Hour,
		}}, now, slices.Concat(every(24, 9, 0), every(12, 5, 0.1, "auto"), every(24, 4, 0.2, "emergency"))},
		{
			"auto_goes_and_all_else_stays",
			retention.Policy{TriggerAge: map[holdfast.Trigger]time.Duration{holdfast.TriggerAuto: 24 * time.Hour}},
			now,
			slices.Concat(every(24*30, 3, 0), every(12, 5, 0.1, "auto")),
		},
		{
			"auto_has_no_limit",
			retention.Policy{MaxAge: 24 * time.Hour, TriggerAge: map[holdfast.Trigger]time.Duration{holdfast.TriggerAuto: 0}},
			now,
			slices.Concat(every(12, 6, 0), every(24*30, 3, 0.1, "auto")),
		},
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
		{"emergency_backups_on_top", retention.Policy{KeepLast: 1}, now, []retention.Candidate{
			backup("emergency_2", 0, "emergency", "proven"), backup("emergency_1", 0.1, "emergency", "proven"),
			backup("wanted_2", 1), backup("wanted_1", 2), backup("wanted_proven", 3, "proven"), backup("wanted_old", 4, "proven"),
		}},
		{"all_damaged", week, now, []retention.Candidate{
			backup("d0", 10, "damaged"), backup("d1", 12, "damaged"), backup("d2", 30, "damaged"),
		}},
		{"machine_was_off_for_a_month", week, now, []retention.Candidate{
			backup("before_1", 31), backup("before_2", 33), backup("before_3", 37), backup("before_4", 39), backup("before_5", 41),
		}},
		{"machine_is_back_after_a_month", week, now, slices.Concat(every(0.2, 3, 0), every(24, 9, 31))},
		{"machine_is_back_for_three_days", week, now, slices.Concat(every(24, 4, 0), every(24, 9, 31))},
		{"machine_is_back_for_a_week", week, now, slices.Concat(every(24, 8, 0), every(24, 9, 31))},
		{"clock_jumped_ten_years", week, now.AddDate(10, 0, 0), []retention.Candidate{
			backup("a", 1), backup("b", 3), backup("c", 7.5), backup("d", 9),
		}},
		{"backup_at_a_clock_that_jumped", week, now.AddDate(10, 0, 0), slices.Concat(
			[]retention.Candidate{backup("ten_years_on", -3652)}, every(24, 8, 0))},
		{"clock_jumped_back", week, now.AddDate(-1, 0, 0), every(24, 9, 0)},
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
				if d.Hides {
					verb = "hide"
				}
				fmt.Fprintf(&b, "%-6s %-19s %4d %s\n", verb, d.Name, d.Frees, d.Reason)
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

func TestOnHold_KeepsAllAndSaysWhatWouldGo(t *testing.T) {
	plan := retention.Plan(every(24, 10, 0), retention.Policy{KeepLast: 2}, now)
	retention.OnHold(plan, "pruning is on hold")
	held := 0
	for _, d := range plan {
		if d.Remove || d.Hides || d.Frees != 0 {
			t.Errorf("%+v is not kept", d)
		}
		if d.Held != (d.Reason == "no rule keeps it, but pruning is on hold") {
			t.Errorf("%+v", d)
		}
		if d.Held {
			held++
		}
	}
	if held != 8 {
		t.Errorf("%d are held, want 8", held)
	}
}

func TestPolicy_InWords(t *testing.T) {
	day := 24 * time.Hour
	for want, p := range map[string]retention.Policy{
		"all backups are kept": {},
		"7 days":               {MaxAge: 7 * day},
		"the last 5":           {KeepLast: 5},
		"7 days, auto backups 1 day, emergency backups 2 days, the last 3, 24 hourly, 7 daily, 4 weekly, 12 monthly, 3 yearly": {
			MaxAge: 7 * day, KeepLast: 3, Hourly: 24, Daily: 7, Weekly: 4, Monthly: 12, Yearly: 3,
			TriggerAge: map[holdfast.Trigger]time.Duration{holdfast.TriggerEmergency: 2 * day, holdfast.TriggerAuto: day},
		},
		"7 days, auto backups without a limit": {MaxAge: 7 * day, TriggerAge: map[holdfast.Trigger]time.Duration{holdfast.TriggerAuto: 0}},
	} {
		if got := p.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
