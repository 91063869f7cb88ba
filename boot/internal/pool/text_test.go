package pool

import "testing"

func TestText(t *testing.T) {
	tests := []struct {
		sql           string
		single, turns bool
	}{
		{"", true, false},
		{"INSERT INTO t VALUES (1)", true, false},
		{"INSERT INTO t VALUES (1);  -- end; of it\n", true, false},
		{"INSERT INTO t VALUES ('a;b', \"c;d\", [e;f], `g;h`) /* ; begin */;", true, false},
		{"INSERT INTO t VALUES ('it''s; here')", true, false},
		{"INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)", false, false},
		{"SELECT 1;;; SELECT 2", false, false},
		{"begin", true, true},
		{" -- why\n/* not */ Begin Immediate;", true, true},
		{"SELECT CASE x WHEN 1 THEN 2 END FROM t", true, true},
		{"SELECT weekend, ending FROM beginnings", true, false},
		{"SELECT 1; COMMIT", false, true},
		{"SAVEPOINT a", true, true},
		{"/* unfinished", true, false},
		{"'unfinished", true, false},
		{"SELECT 'ü' AS größe", true, false},
	}
	for _, tt := range tests {
		if got := single(tt.sql); got != tt.single {
			t.Errorf("single(%q) is %v", tt.sql, got)
		}
		if got := turns(tt.sql); got != tt.turns {
			t.Errorf("turns(%q) is %v", tt.sql, got)
		}
	}
}
