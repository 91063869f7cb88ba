package repo

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

func dayName(day int) holdfast.BackupName { return holdfast.BackupName(fmt.Sprint("day", day)) }

// However the blocks of a file are spread over payloads, reading it in order
// gives what reading it anywhere gives.
func TestContent_InOrderReadsAsAnywhere(t *testing.T) {
	for seed := range uint64(12) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		w := emptyWeek(t, Options{})
		data := text(3*frameSize+rnd.IntN(2*frameSize), seed)
		w.backUp(t, "day0", "", map[string][]byte{"f": data})
		for day := range 1 + rnd.IntN(4) {
			data = bytes.Clone(data)
			for range 1 + rnd.IntN(60) {
				at := rnd.IntN(len(data))
				n := min(1+rnd.IntN(3*blockSize), len(data)-at)
				if rnd.IntN(5) == 0 {
					clear(data[at : at+n])
				} else {
					copy(data[at:at+n], text(n, rnd.Uint64()))
				}
			}
			switch rnd.IntN(3) {
			case 0:
				data = data[:len(data)-rnd.IntN(frameSize)]
			case 1:
				data = append(data, text(rnd.IntN(frameSize), rnd.Uint64())...)
			}
			w.backUp(t, dayName(day+1), dayName(day), map[string][]byte{"f": data})
		}
		w.check(t, fmt.Sprint("seed ", seed)) // Verify reads in order, contents does not
		for _, name := range visible(t, w.r) {
			back := open(t, w.r, holdfast.BackupName(name))
			e := back.view.tree.entries["bot/f"]
			c, err := newContent(e, back, newFrameCache())
			if err != nil {
				t.Fatal(err)
			}
			c.readInOrder()
			want := w.days[name]["bot/f"]
			for off := int64(0); off < e.Size; off += frameSize {
				p := noise(int(min(frameSize, e.Size-off)), seed)
				got := append(p, make([]byte, decodeSlack)...)[:len(p)]
				if err := c.readFrame(got, off, true); err != nil || !bytes.Equal(got, want[off:off+int64(len(got))]) {
					t.Errorf("seed %d, %s: the frame at %d reads wrong: %v", seed, name, off, err)
				}
			}
			if err := c.close(); err != nil {
				t.Error(err)
			}
		}
	}
}
