package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const handbook = "testdata/handbook.pdf"

// A real PDF gives its text, page by page.
func TestPDF_TextWithPages(t *testing.T) {
	var text bytes.Buffer
	if err := (pdfReader{"pdftotext"}).text(t.Context(), handbook, &text); err != nil {
		t.Fatal(err)
	}
	found := map[int]string{}
	for p, err := range passages(&text) {
		if err != nil {
			t.Fatal(err)
		}
		found[p.Page] += p.Text + "\n"
	}
	for page, want := range map[int][]string{
		1: {"พนักงานประจำมีวันลาพักร้อนปีละ 12 วัน", "วันลาที่เหลือเก็บสะสมไปปีถัดไปได้ไม่เกิน 6 วัน"},
		2: {"Employees may work from home on two days a week. The core hours"},
		3: {"คืนละ 1,800 บาท", "مرخصی زایمان شش ماه است"},
	} {
		for _, w := range want {
			if !strings.Contains(found[page], w) {
				t.Errorf("page %d does not say %q: %s", page, w, found[page])
			}
		}
	}
	if len(found) != 3 {
		t.Errorf("%d pages", len(found))
	}
}

// aPDF makes a PDF of one page without text, with further entries of its trailer.
func aPDF(t *testing.T, trailer string) string {
	t.Helper()
	var out bytes.Buffer
	var at []int
	out.WriteString("%PDF-1.4\n")
	for i, object := range []string{
		"<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>", "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] >>",
	} {
		at = append(at, out.Len())
		fmt.Fprintf(&out, "%d 0 obj\n%s\nendobj\n", i+1, object)
	}
	xref := out.Len()
	fmt.Fprintf(&out, "xref\n0 %d\n0000000000 65535 f \n", len(at)+1)
	for _, offset := range at {
		fmt.Fprintf(&out, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(&out, "trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n", len(at)+1, trailer, xref)
	return written(t, out.String())
}

func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "document.pdf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// What cannot be read is one sentence that says why.
func TestPDF_WhatCannotBeRead(t *testing.T) {
	whole, err := os.ReadFile(handbook)
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.Repeat("5a", 32)
	for _, tt := range []struct{ name, program, path, want string }{
		{"no text", "pdftotext", aPDF(t, ""), "pdf.empty"},
		{"a password", "pdftotext", aPDF(t, "/ID [<00><00>] /Encrypt << /Filter /Standard /V 1 /R 2 /Length 40 /P -4 /O <"+secret+"> /U <"+secret+"> >>"), "pdf.encrypted"},
		{"rubbish", "pdftotext", written(t, "%PDF-1.4\nrubbish"), "pdf.broken"},
		{"the beginning", "pdftotext", written(t, string(whole[:2000])), "pdf.broken"},
		{"no program", "no-such-pdftotext", handbook, "pdf.program"},
	} {
		err := pdfReader{tt.program}.text(t.Context(), tt.path, &bytes.Buffer{})
		if told, is := errors.AsType[*sentence](err); !is || told.id != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
}

// One page cannot fill the memory.
func TestPassages_APageIsBounded(t *testing.T) {
	var last error
	for _, err := range passages(strings.NewReader(strings.Repeat("x", longestPage+1))) {
		last = err
	}
	if told, is := errors.AsType[*sentence](last); !is || told.id != "pdf.text_large" {
		t.Errorf("it ends with %v", last)
	}
}

func TestBounded_TakesNoMore(t *testing.T) {
	var out bytes.Buffer
	b := &bounded{to: &out, left: 3}
	if _, err := b.Write([]byte("abcd")); !errors.Is(err, errFull) || !b.full {
		t.Errorf("it takes too much: %v", err)
	}
	b = &bounded{to: &out, left: 3, drop: true}
	if n, err := b.Write([]byte("abcd")); n != 4 || err != nil || out.String() != "abc" {
		t.Errorf("%d, %v, %q", n, err, out.String())
	}
}

func TestCleanName(t *testing.T) {
	for name, want := range map[string]string{
		"รายงานประจำปี ๒๕๖๙.pdf": "รายงานประจำปี ๒๕๖๙.pdf", "گزارش.PDF": "گزارش.pdf", "../../etc/passwd": "passwd.pdf",
		`C:\tmp\a.pdf`: "a.pdf", ".hidden.pdf": "hidden.pdf", "": "document.pdf", "..": "document.pdf", "a\x00\u202eb.pdf": "ab.pdf",
	} {
		if got := cleanName(name); got != want {
			t.Errorf("%q is kept as %q, want %q", name, got, want)
		}
	}
	long := cleanName(strings.Repeat("น้ำ", 100) + ".pdf")
	if len(long) > 200 || !strings.HasSuffix(long, "น้ำ.pdf") && !strings.HasSuffix(long, "น้.pdf") || cleanName(long) != long {
		t.Errorf("a long name becomes %q", long)
	}
}
