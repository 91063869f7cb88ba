package boot

import "sync"

// openHere counts the stores of this process by the paths of their databases.
// Closing any descriptor of a file drops the locks that this process has on it, so
// the files of a database may be looked at only if no other store has it open.
var openHere = struct {
	sync.Mutex
	stores map[string]int
}{stores: map[string]int{}}

// enlist counts a store, and tells whether it is the only one of its database.
func enlist(path string) (alone bool) {
	openHere.Lock()
	defer openHere.Unlock()
	openHere.stores[path]++
	return openHere.stores[path] == 1
}

// delist takes a store off the count.
func delist(path string) {
	openHere.Lock()
	defer openHere.Unlock()
	if openHere.stores[path]--; openHere.stores[path] == 0 {
		delete(openHere.stores, path)
	}
}
