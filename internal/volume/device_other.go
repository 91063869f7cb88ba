//go:build !unix

package volume

import (
	"path/filepath"
	"strings"
)

// device knows the volume's name only, which is enough to compare.
func device(path string) (uint64, bool) {
	n := uint64(0)
	for _, c := range []byte(strings.ToLower(filepath.VolumeName(path))) {
		n = n<<8 | uint64(c)
	}
	return n, n != 0
}
