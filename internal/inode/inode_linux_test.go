package inode_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/inode"
)

const mib = 1 << 20

// sparse makes a file of 8 MiB with one MiB of data at 2 MiB and at 7 MiB.
func sparse(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "sparse"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	data := make([]byte, mib)
	for i := range data {
		data[i] = 1
	}
	for _, at := range []int64{2 * mib, 7 * mib} {
		if _, err := f.WriteAt(data, at); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func TestNextData_FindsDataBetweenHoles(t *testing.T) {
	f := sparse(t)
	for _, c := range []struct {
		what                  string
		off, size, start, end int64
	}{
		{"a hole first", 0, 8 * mib, 2 * mib, 3 * mib},
		{"inside of data", 2*mib + 5, 8 * mib, 2*mib + 5, 3 * mib},
		{"up to the end", 3 * mib, 8 * mib, 7 * mib, 8 * mib},
		{"data cut by the size asked for", 0, 2*mib + 9, 2 * mib, 2*mib + 9},
		{"nothing but a hole below the size asked for", 3 * mib, 5 * mib, 5 * mib, 5 * mib},
	} {
		start, end, err := inode.NextData(f, c.off, c.size)
		if err != nil || start != c.start || end != c.end {
			t.Errorf("%s: from %d up to %d, %v; want %d, %d", c.what, start, end, err, c.start, c.end)
		}
	}
}

func TestNextData_HoleAtTheEnd(t *testing.T) {
	f := sparse(t)
	if err := f.Truncate(20 * mib); err != nil {
		t.Fatal(err)
	}
	if start, end, err := inode.NextData(f, 8*mib, 20*mib); err != nil || start != 20*mib || end != 20*mib {
		t.Errorf("from %d up to %d, %v", start, end, err)
	}
}

// What a file lost since its size was asked for must not pass for a hole: a
// reader of the span meets the end and knows.
func TestNextData_WhatWasCutOffIsNoHole(t *testing.T) {
	f := sparse(t)
	if err := f.Truncate(5 * mib); err != nil {
		t.Fatal(err)
	}
	for _, off := range []int64{3 * mib, 6 * mib} {
		start, end, err := inode.NextData(f, off, 8*mib)
		if err != nil || start != max(off, 5*mib) || end != 8*mib {
			t.Errorf("from %d: from %d up to %d, %v", off, start, end, err)
		}
	}
}

func TestChangeTime_CannotBeSetBack(t *testing.T) {
	f := sparse(t)
	before := time.Now().Add(-time.Minute)
	if err := os.Chtimes(f.Name(), time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if got := inode.ChangeTime(info); got.Before(before) {
		t.Errorf("changed at %v, want the present", got)
	}
}

func TestNumber_IsTheFileNotTheName(t *testing.T) {
	f, other := sparse(t), sparse(t)
	link := f.Name() + "-link"
	if err := os.Link(f.Name(), link); err != nil {
		t.Fatal(err)
	}
	number := func(name string) uint64 {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		return inode.Number(info)
	}
	if number(f.Name()) != number(link) || number(f.Name()) == number(other.Name()) {
		t.Errorf("%d, its link %d, another %d", number(f.Name()), number(link), number(other.Name()))
	}
}
