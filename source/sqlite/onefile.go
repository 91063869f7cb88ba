package sqlite

import (
	"errors"
	"io"
	"io/fs"
	"sync"
)

// oneFileName is the name of the only file that SQLite finds in a oneFile.
const oneFileName = "database"

// oneFile shows SQLite a single file of another file system. Companions that
// may lie beside it in the other file system do not exist here.
type oneFile struct {
	fsys fs.FS
	name string
	// asRollback makes the header say rollback mode whatever the file says.
	asRollback bool

	mu  sync.Mutex
	err error
}

// fail remembers the first read that failed. SQLite knows only that one did.
func (o *oneFile) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
}

func (o *oneFile) failed() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

func (o *oneFile) Open(name string) (fs.File, error) {
	if name != oneFileName {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	f, err := o.open()
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (o *oneFile) open() (*blockFile, error) {
	f, err := o.fsys.Open(o.name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	at, ok := f.(io.ReaderAt)
	if !ok {
		seeker, ok := f.(io.ReadSeeker)
		if !ok {
			err := &fs.PathError{Op: "open", Path: o.name, Err: errors.New("the file can only be read from its start to its end")}
			return nil, errors.Join(err, f.Close())
		}
		at = seekerAt{seeker}
	}
	return &blockFile{file: f, at: at, info: info, size: info.Size(), asRollback: o.asRollback, fail: o.fail}, nil
}

// Stat answers SQLite's questions for companions without opening anything.
func (o *oneFile) Stat(name string) (fs.FileInfo, error) {
	if name != oneFileName {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return fs.Stat(o.fsys, o.name)
}

// seekerAt reads at a position through Seek. SQLite uses a file from one
// goroutine at a time.
type seekerAt struct{ io.ReadSeeker }

func (s seekerAt) ReadAt(p []byte, off int64) (int, error) {
	if _, err := s.Seek(off, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(s, p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

const (
	// blockSize is read at once: SQLite asks page by page, while a backup
	// stores frames of many pages.
	blockSize = 64 << 10
	// blockCount bounds the memory of one open file to 4 MiB.
	blockCount = 64
)

// errShortBlock is what SQLite is told of a block that could not be read. It
// must not match io.EOF, which SQLite takes for zeros after the end.
var errShortBlock = errors.New("block could not be read")

// blockFile is a file that SQLite reads in small pieces, through a cache of
// larger blocks. A block lives in the slot that its number falls on.
type blockFile struct {
	file fs.File
	at   io.ReaderAt
	info fs.FileInfo
	size int64
	pos  int64

	asRollback bool
	fail       func(error)

	slots [blockCount]block
}

type block struct {
	number int64 // from 1; 0 is an empty slot
	data   []byte
}

func (b *blockFile) Stat() (fs.FileInfo, error) { return b.info, nil }
func (b *blockFile) Close() error               { return b.file.Close() }

// Seek moves to an absolute position, which is all that SQLite asks for.
func (b *blockFile) Seek(offset int64, whence int) (int64, error) {
	if whence != io.SeekStart || offset < 0 {
		return 0, fs.ErrInvalid
	}
	b.pos = offset
	return offset, nil
}

// ReadAt reads the bytes of the file as they are stored.
func (b *blockFile) ReadAt(p []byte, off int64) (int, error) { return b.at.ReadAt(p, off) }

func (b *blockFile) Read(p []byte) (int, error) {
	total := 0
	for len(p) > 0 && b.pos < b.size {
		data, err := b.load(b.pos / blockSize)
		if err != nil {
			return total, err
		}
		n := copy(p, data[b.pos%blockSize:])
		p = p[n:]
		b.pos += int64(n)
		total += n
	}
	if len(p) > 0 {
		return total, io.EOF
	}
	return total, nil
}

// load gives the bytes of a block that starts before the end of the file.
func (b *blockFile) load(index int64) ([]byte, error) {
	slot := &b.slots[index%blockCount]
	if slot.number == index+1 {
		return slot.data, nil
	}
	want := min(blockSize, b.size-index*blockSize)
	if slot.data == nil {
		slot.data = make([]byte, blockSize)
	}
	slot.number = 0
	n, err := b.at.ReadAt(slot.data[:want], index*blockSize)
	if int64(n) < want {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		b.fail(err)
		return nil, errShortBlock
	}
	slot.data = slot.data[:want]
	slot.number = index + 1
	if index == 0 && b.asRollback {
		setRollback(slot.data)
	}
	return slot.data, nil
}
