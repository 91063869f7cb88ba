package hnsw

import (
	"encoding/binary"

	"github.com/holdfast-backup/holdfast/source/chroma/disk/internal/idset"
	"github.com/holdfast-backup/holdfast/source/chroma/disk/internal/pickle"
)

// A Verdict is what a folder that holds together contains.
type Verdict struct {
	Live    int64 // vectors with a record
	Deleted int64 // elements marked as deleted
	Index   pickle.Index
}

// Verify reads the whole folder and compares: the labels of live elements, the
// values of id_to_label and the keys of label_to_id are the same, the two maps
// are each other's inverse, and every list of links stays inside its file. Id,
// if not nil, is handed every id of the index.
//
// Memory does not grow with the index: sets are compared by fingerprint, see
// package idset.
func (f *Folder) Verify(id func(id string) error) (Verdict, error) {
	var v Verdict
	var live, values, keys, there, back idset.Sum
	err := f.Elements(func(e Element) error {
		if e.Deleted {
			v.Deleted++
			return nil
		}
		v.Live++
		live.Add(idset.OfNumber(e.Label))
		return nil
	})
	if err != nil {
		return v, err
	}
	v.Index, err = f.Pickle(pickle.Visitor{
		ID: func(s string, label uint64) error {
			values.Add(idset.OfNumber(label))
			there.Add(idset.OfPair(s, label))
			if id == nil {
				return nil
			}
			return id(s)
		},
		Label: func(label uint64, s string) error {
			keys.Add(idset.OfNumber(label))
			back.Add(idset.OfPair(s, label))
			return nil
		},
	})
	switch {
	case err != nil:
		return v, err
	case values != keys || there != back:
		return v, damaged("the two maps of %s contradict each other (%d and %d entries)", PickleFile, v.Index.IDs, v.Index.Labels)
	case live != values:
		return v, damaged("%s has %d live vectors, %s knows %d, and they are not the same", DataFile, v.Live, PickleFile, v.Index.IDs)
	case v.Index.Dimension != 0 && v.Index.Dimension != f.Header.Dimension:
		return v, damaged("%s says %d dimensions, %s %d", PickleFile, v.Index.Dimension, HeaderFile, f.Header.Dimension)
	}
	return v, f.verifyLinks()
}

// verifyLinks goes through the upper levels' lists: each element has a byte
// count and so many bytes.
func (f *Folder) verifyLinks() error {
	level := uint32(4 + 4*f.Header.MaxLinks)
	r := newReader(f.links)
	for i := range f.Header.Count {
		b, err := r.next(4)
		if err != nil {
			return err
		}
		n := binary.LittleEndian.Uint32(b)
		if n%level != 0 || int64(n/level) > int64(max(f.Header.MaxLevel, 0)) {
			return damaged("element %d of %s has %d bytes of links", i, LinksFile, n)
		}
		for range n / level {
			list, err := r.next(int(level))
			if err != nil {
				return err
			}
			if err := f.checkLinks(list, f.Header.MaxLinks, i, LinksFile); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkLinks looks at one list of links: how many it has room for, and that
// each leads to an element.
func (f *Folder) checkLinks(list []byte, room int, element uint64, file string) error {
	links := int(binary.LittleEndian.Uint16(list))
	if links > room {
		return damaged("element %d of %s has %d links where %d have room", element, file, links, room)
	}
	for l := range links {
		if to := binary.LittleEndian.Uint32(list[4+4*l:]); uint64(to) >= f.Header.Count {
			return damaged("element %d of %s links to element %d of %d", element, file, to, f.Header.Count)
		}
	}
	return nil
}
