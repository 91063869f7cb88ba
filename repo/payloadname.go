package repo

import (
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// payloadNames gives every payload of a backup a key of its own: the path of
// the file, as the manual's tree wants it, with .zst if it is compressed.
// Where that is taken (x compressed beside a file x.zst) or cannot be a key,
// the payload lies at the top of the source under a plain number; the manifest
// tells. In an encrypted backup every payload has a number.
type payloadNames struct {
	private bool // names tell nothing of the files
	mu      sync.Mutex
	files   map[string]bool
	dirs    map[string]int // folders in use, by number of payloads below
	last    map[string]int // the last number given, by source
}

// maxElement keeps a file name within the 255 bytes that file systems allow,
// with room for a temporary suffix.
const maxElement = 240

func newPayloadNames(private bool) *payloadNames {
	return &payloadNames{private: private, files: map[string]bool{}, dirs: map[string]int{}, last: map[string]int{}}
}

// claim gives the payload of the file at name a key.
func (n *payloadNames) claim(name string, zstd bool) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	ext := ""
	if zstd {
		ext = ".zst"
	}
	source, _, below := strings.Cut(name, "/")
	key := name + ext
	if n.private {
		key, ext = "", ext+sealedExt
		if !below { // memory_info.json, beside what it tells of
			source = holdfast.MemoryDir
		}
	}
	for !n.usable(key) {
		n.last[source]++
		key = source + "/~" + strconv.Itoa(n.last[source]) + ext
	}
	n.files[key] = true
	for dir := path.Dir(key); dir != "."; dir = path.Dir(dir) {
		n.dirs[dir]++
	}
	return key
}

// usable tells whether a payload can lie at key.
func (n *payloadNames) usable(key string) bool {
	if bucket.CheckKey(key) != nil || n.files[key] || n.dirs[key] > 0 {
		return false
	}
	for dir := path.Dir(key); dir != "."; dir = path.Dir(dir) {
		if n.files[dir] {
			return false
		}
	}
	for element := range strings.SplitSeq(key, "/") {
		if len(element) > maxElement || strings.ContainsFunc(element, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return false
		}
	}
	return true
}

// release gives a key back.
func (n *payloadNames) release(key string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.files[key] {
		return
	}
	delete(n.files, key)
	for dir := path.Dir(key); dir != "."; dir = path.Dir(dir) {
		if n.dirs[dir]--; n.dirs[dir] == 0 {
			delete(n.dirs, dir)
		}
	}
}
