package idset

import (
	"cmp"
	"slices"
)

// A Map finds a number by id. It is filled first, then sorted once, then
// read; it costs 24 bytes for each entry. (A Go map of the same content costs
// two to three times that.)
type Map struct{ entries []entry }

type entry struct {
	key   Hash
	value uint64
}

// Add adds an entry.
func (m *Map) Add(key Hash, value uint64) { m.entries = append(m.entries, entry{key, value}) }

// Len is the number of entries.
func (m *Map) Len() int { return len(m.entries) }

// Translate replaces every value that a source of pairs knows by another one,
// and drops entries whose value it does not know. Pairs must be called with a
// function that takes (old value, new value) in any order.
func (m *Map) Translate(pairs func(take func(from, to uint64)) error) error {
	slices.SortFunc(m.entries, func(a, b entry) int { return cmp.Compare(a.value, b.value) })
	found := make([]uint64, (len(m.entries)+63)/64) // one bit for each entry
	to := make([]uint32, len(m.entries))
	err := pairs(func(from, target uint64) {
		i, _ := slices.BinarySearchFunc(m.entries, from, func(e entry, v uint64) int { return cmp.Compare(e.value, v) })
		for ; i < len(m.entries) && m.entries[i].value == from; i++ {
			found[i/64] |= 1 << (i % 64)
			to[i] = uint32(target)
		}
	})
	if err != nil {
		return err
	}
	kept := m.entries[:0]
	for i, e := range m.entries {
		if found[i/64]&(1<<(i%64)) != 0 {
			kept = append(kept, entry{e.key, uint64(to[i])})
		}
	}
	m.entries = kept
	return nil
}

// Sort makes the map ready for Get.
func (m *Map) Sort() {
	slices.SortFunc(m.entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.key.hi, b.key.hi), cmp.Compare(a.key.lo, b.key.lo))
	})
}

// Get finds the number of an id.
func (m *Map) Get(key Hash) (uint64, bool) {
	i, ok := slices.BinarySearchFunc(m.entries, key, func(e entry, k Hash) int {
		return cmp.Or(cmp.Compare(e.key.hi, k.hi), cmp.Compare(e.key.lo, k.lo))
	})
	if !ok {
		return 0, false
	}
	return m.entries[i].value, true
}
