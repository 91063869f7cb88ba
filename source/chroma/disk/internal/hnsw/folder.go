package hnsw

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"math"

	"github.com/holdfast-backup/holdfast/source/chroma/disk/internal/pickle"
)

// A Folder is an open index folder that has been persisted. It is used by one
// goroutine at a time.
type Folder struct {
	Header Header

	fsys   fs.FS
	data   *file
	length *file
	links  *file

	elements window // over data, for elements one at a time
	norms    window // over length
}

// Persisted tells whether a folder has been persisted: whether it has the file
// that is written last. Without it Chroma does not look at the others.
func Persisted(fsys fs.FS) (bool, error) {
	_, err := fs.Stat(fsys, PickleFile)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Open opens a persisted folder and compares its header with the sizes of the
// files.
func Open(fsys fs.FS) (_ *Folder, err error) {
	f := &Folder{fsys: fsys}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if f.Header, err = readHeader(fsys); err != nil {
		return nil, err
	}
	for _, part := range []struct {
		to   **file
		name string
		each int // bytes for each element, at least
	}{
		{&f.data, DataFile, f.Header.ElementSize},
		{&f.length, LengthFile, 4},
		{&f.links, LinksFile, 4},
	} {
		if *part.to, err = openFile(fsys, part.name); err != nil {
			return nil, err
		}
		if err = f.Header.fits(*part.to, part.each); err != nil {
			return nil, err
		}
	}
	f.elements = window{file: f.data, each: f.Header.ElementSize, count: f.Header.Count}
	f.norms = window{file: f.length, each: 4, count: f.Header.Count}
	return f, nil
}

// OneByOne makes Slot, Vector and Norm read no more than what they give: few are wanted, and
// not in the order in which they lie.
func (f *Folder) OneByOne() { f.elements.alone, f.norms.alone = true, true }

func readHeader(fsys fs.FS) (Header, error) {
	f, err := openFile(fsys, HeaderFile)
	if err != nil {
		return Header{}, err
	}
	defer f.close()
	if f.size != HeaderSize {
		return Header{}, damaged("%s has %d bytes instead of %d", HeaderFile, f.size, HeaderSize)
	}
	b := make([]byte, HeaderSize)
	if err := f.readFull(b, 0); err != nil {
		return Header{}, err
	}
	return ParseHeader(b)
}

// Close closes the files.
func (f *Folder) Close() error {
	var errs []error
	for _, file := range []*file{f.data, f.length, f.links} {
		if file != nil {
			errs = append(errs, file.close())
		}
	}
	return errors.Join(errs...)
}

// An Element is what level 0 says of one vector, without the vector.
type Element struct {
	Slot    uint32 // position in data_level0.bin
	Label   uint64
	Deleted bool
}

// Elements goes through level 0 in order, deleted elements too. It reads the
// whole file, a window at a time. Links that lead nowhere are damage.
func (f *Folder) Elements(yield func(Element) error) error {
	return f.Some(0, f.Header.Count, yield)
}

// Some is Elements for the slots from one up to another.
func (f *Folder) Some(from, to uint64, yield func(Element) error) error {
	w := window{file: f.data, each: f.Header.ElementSize, count: min(to, f.Header.Count)}
	for i := from; i < w.count; i++ {
		e, err := w.at(i)
		if err != nil {
			return err
		}
		if err := f.checkLinks(e, f.Header.MaxLinks0, i, DataFile); err != nil {
			return err
		}
		err = yield(Element{
			Slot:    uint32(i),
			Label:   binary.LittleEndian.Uint64(e[f.Header.LabelOffset:]),
			Deleted: e[2]&1 != 0,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Slot looks for the live element of a label where it must be if no label was ever
// left out and elements got their slots one by one: in the order of their labels, which
// are numbers. False tells nothing but that it is not there.
func (f *Folder) Slot(label uint64) (uint32, bool, error) {
	for guess := label - min(label, 1); guess <= label && guess < f.Header.Count; guess++ {
		e, err := f.elements.at(guess)
		if err != nil {
			return 0, false, err
		}
		if binary.LittleEndian.Uint64(e[f.Header.LabelOffset:]) == label && e[2]&1 == 0 {
			return uint32(guess), true, nil
		}
	}
	return 0, false, nil
}

// Vector reads the vector in a slot as Chroma stores it: for cosine it is
// normalised, see Norm. It is false if the vector holds something that is no
// number, which Chroma never stores.
func (f *Folder) Vector(slot uint32) ([]float32, bool, error) {
	e, err := f.elements.at(uint64(slot))
	if err != nil {
		return nil, false, err
	}
	v := make([]float32, f.Header.Dimension)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(e[f.Header.DataOffset+4*i:]))
		if x := float64(v[i]); math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, false, nil
		}
	}
	return v, true, nil
}

// Norm reads the length that the vector in a slot had before it was stored.
func (f *Folder) Norm(slot uint32) (float32, error) {
	b, err := f.norms.at(uint64(slot))
	if err != nil {
		return 0, err
	}
	return math.Float32frombits(binary.LittleEndian.Uint32(b)), nil
}

// Pickle reads the maps of the folder.
func (f *Folder) Pickle(v pickle.Visitor) (pickle.Index, error) { return ReadPickle(f.fsys, v) }

// ReadPickle reads the maps of a folder whose other files may be damaged. A
// malformed pickle is damage.
func ReadPickle(fsys fs.FS, v pickle.Visitor) (pickle.Index, error) {
	p, err := fsys.Open(PickleFile)
	if err != nil {
		return pickle.Index{}, err
	}
	defer p.Close()
	index, err := pickle.Read(p, v)
	if errors.Is(err, pickle.ErrMalformed) {
		return index, damaged("%s: %v", PickleFile, err)
	}
	return index, err
}
