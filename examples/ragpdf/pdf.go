package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"os/exec"
	"strings"
	"time"
)

// A pdfReader takes the text out of a PDF with pdftotext of poppler-utils.
type pdfReader struct {
	program string // pdftotext, or where it is
}

// Bounds of what one PDF may ask of this machine.
const (
	readTime    = time.Minute
	mostText    = 64 << 20
	longestPage = 4 << 20
)

// text writes the text of the file at path to out, with a form feed after each
// page.
func (p pdfReader) text(ctx context.Context, path string, out io.Writer) error {
	program, err := exec.LookPath(p.program)
	if err != nil {
		return say("pdf.program", p.program)
	}
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	var told bytes.Buffer
	text := &bounded{to: out, left: mostText}
	cmd := exec.CommandContext(ctx, program, "-enc", "UTF-8", path, "-")
	cmd.Stdout, cmd.Stderr = text, &bounded{to: &told, left: 4 << 10, drop: true}
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	switch {
	case text.full:
		return say("pdf.text_large", mostText>>20)
	case ctx.Err() != nil:
		return say("pdf.slow", int(readTime.Seconds()))
	case strings.Contains(told.String(), "ncorrect password"), strings.Contains(told.String(), "Copying of text"):
		return say("pdf.encrypted")
	case err != nil:
		return say("pdf.broken")
	case !text.some:
		return say("pdf.empty")
	}
	return nil
}

// errFull ends a program that writes too much.
var errFull = errors.New("too much")

// A bounded writer takes so many bytes and no more: the rest is an error, or is
// dropped. It remembers whether there was any text.
type bounded struct {
	to         io.Writer
	left       int
	drop       bool
	full, some bool
}

func (b *bounded) Write(p []byte) (int, error) {
	b.some = b.some || len(bytes.TrimSpace(p)) > 0 // a form feed is white space
	if len(p) <= b.left {
		b.left -= len(p)
		return b.to.Write(p)
	}
	if b.full = true; !b.drop {
		return 0, errFull
	}
	n := b.left
	b.left = 0
	if _, err := b.to.Write(p[:n]); err != nil {
		return 0, err
	}
	return len(p), nil
}

// A passage is a piece of a page.
type passage struct {
	Page int
	Text string
}

// passages gives the chunks of a text that pdfReader has written, one page after
// the other.
func passages(text io.Reader) iter.Seq2[passage, error] {
	return func(yield func(passage, error) bool) {
		pages := bufio.NewScanner(text)
		pages.Buffer(nil, longestPage)
		pages.Split(byPage)
		for n := 1; pages.Scan(); n++ {
			for _, chunk := range split(reflow(pages.Text()), chunkSize, chunkOverlap) {
				if !yield(passage{n, chunk}, nil) {
					return
				}
			}
		}
		if err := pages.Err(); err != nil {
			if errors.Is(err, bufio.ErrTooLong) {
				err = say("pdf.text_large", longestPage>>20)
			}
			yield(passage{}, err)
		}
	}
}

// byPage is a bufio.SplitFunc for text with a form feed after each page.
func byPage(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\f'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}
