package panel

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast/internal/panel/screen"
	"github.com/holdfast-backup/holdfast/repo"
)

// pieces sends a backup, piece by piece. One piece lies on the disk at a time; nothing of
// it is in memory.
func (p *Panel) pieces(ctx context.Context, core Core, s *sending) (err error) {
	m := s.look()
	b, err := open(ctx, core, m.Backup)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	var to []age.Recipient
	if m.Sealed {
		if to, err = p.recipients(ctx, core.Config.Encryption); err != nil {
			return err
		}
	}
	out, in := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		in.CloseWithError(write(ctx, b, in, to))
	}()
	err = p.upload(ctx, s, bufio.NewReaderSize(out, 64<<10))
	out.CloseWithError(errors.Join(err, io.ErrClosedPipe)) // whoever writes ends, too
	<-written
	return err
}

// write writes what is sent: an encrypted archive of the whole tree, or in clear a single
// database, or the archive.
func write(ctx context.Context, b *repo.Backup, w io.Writer, to []age.Recipient) error {
	if to == nil {
		if file := database(b); file != "" {
			return copyFile(ctx, b, file, w)
		}
		return b.WriteTar(ctx, w)
	}
	sealed, err := age.Encrypt(w, to...)
	if err != nil {
		return err
	}
	if err := b.WriteTar(ctx, sealed); err != nil {
		return err // without its end the stream opens for nobody
	}
	return sealed.Close()
}

// copyFile writes one file of a backup, every byte of which is checked on its way.
func copyFile(ctx context.Context, b *repo.Backup, name string, w io.Writer) error {
	f, err := b.Open(name)
	if err != nil {
		return err
	}
	defer f.Close() // what was read was checked; nothing of it can fail now
	_, err = io.Copy(w, f)
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// upload cuts a stream into pieces and sends them.
func (p *Panel) upload(ctx context.Context, s *sending, in *bufio.Reader) error {
	for n := 1; ; n++ {
		if _, err := in.Peek(1); errors.Is(err, io.EOF) && n > 1 {
			return nil
		} else if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err := p.piece(ctx, s, in, n); err != nil {
			return err
		}
	}
}

// piece sends the next piece of a stream.
func (p *Panel) piece(ctx context.Context, s *sending, in *bufio.Reader, n int) (err error) {
	spool, err := p.spool()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, spool.Close(), os.Remove(spool.Name())) }()
	size, err := io.CopyN(spool, in, screen.MostPiece)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	m := s.look()
	if m.Bytes+size > screen.MostSent+slack {
		return refuseLarge(m.Backup)
	}
	_, err = in.Peek(1)
	alone := n == 1 && errors.Is(err, io.EOF) && !m.Sealed
	if err != nil && !errors.Is(err, io.EOF) {
		return err // of a stream that broke nothing more is sent
	}
	name := fmt.Sprintf("%s.%03d", m.File, n)
	if alone {
		name = m.File
	}
	if _, err = p.o.API.SendDocument(ctx, s.at.chat, Document{Name: name, Size: size, Silent: true, Open: func() (io.ReadCloser, error) { return os.Open(spool.Name()) }}); err != nil {
		if stopped := context.Cause(ctx); stopped != nil {
			return stopped
		}
		return err
	}
	s.note(func(m *screen.SendingModel) { m.Sent, m.Bytes = n, m.Bytes+size })
	return nil
}

// spools are the names of pieces on the disk.
const spools = ".telegram-*.tmp"

// spool makes the file in which a piece lies until it is sent.
func (p *Panel) spool() (*os.File, error) {
	if p.o.State != "" {
		if err := os.MkdirAll(p.o.State, 0o700); err != nil {
			return nil, err
		}
	}
	return os.CreateTemp(p.o.State, spools)
}

// sweep removes the pieces that a program left which ended while it sent them.
func (p *Panel) sweep() {
	if p.o.State == "" {
		return
	}
	left, err := filepath.Glob(filepath.Join(p.o.State, spools))
	for _, name := range left {
		err = errors.Join(err, os.Remove(name))
	}
	if err != nil {
		p.log.Warn("what was left of a file that was being sent could not be removed", keyError, err)
	}
}

// slack is what archives and encryption add at most to what is counted beforehand.
const slack = 8 << 20
