package boot

import (
	"strings"
	"testing"
)

// What a restore replaced is newer than what was restored, and yet nobody wants it
// back: memory begins from it only if there is nothing else, as a start does.
func TestBackupOrigins_WhatSomebodyReplacedComesLast(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	fill(t, s.DB(), 5)
	if _, err := s.Backup(t.Context(), BackupOptions{Name: "wanted"}); err != nil {
		t.Fatal(err)
	}
	fill(t, s.DB(), 1)
	if _, err := s.Restore(t.Context(), "wanted"); err != nil {
		t.Fatal(err)
	}
	origins, err := s.backupOrigins(t.Context())
	if err != nil || len(origins) < 2 {
		t.Fatalf("%d origins, %v", len(origins), err)
	}
	for i, o := range origins {
		if last := i == len(origins)-1; last != strings.HasPrefix(string(o.name), "emergency_restore_") {
			t.Errorf("origin %d of %d is %s", i, len(origins), o.words)
		}
	}
}
