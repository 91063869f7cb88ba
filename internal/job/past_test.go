package job

import (
	"context"
	"slices"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

func TestPast_TellsWhatIsKnownAndDoesNotWait(t *testing.T) {
	w := newWorld(t)
	told, letGo := make(chan struct{}), make(chan struct{})
	const changes = 3 * mostRecent
	j := w.begin("backup", func(ctx context.Context, h *Handle) (any, error) {
		result, err := chatty(changes)(ctx, h)
		close(told)
		<-letGo
		return result, err
	})
	<-told
	past := func(after int64) (seqs []int64) {
		for ev, err := range w.Past(t.Context(), j.ID, after) {
			if err != nil {
				t.Fatal(err)
			}
			seqs = append(seqs, ev.Seq)
		}
		return seqs
	}
	if got := past(0); len(got) != changes+1 || got[0] != 1 || !slices.IsSorted(got) {
		t.Errorf("of a running job %d events", len(got))
	}
	if got := past(changes); len(got) != 1 {
		t.Errorf("after the last but one came %v", got)
	}
	close(letGo)
	w.end(j.ID)
	if got := past(0); len(got) != changes+2 {
		t.Errorf("of an ended job %d events", len(got))
	}
	for _, err := range w.Past(t.Context(), "20241030T143000123-AAAAAAAA", 0) {
		mustBe(t, err, holdfast.ErrNotFound)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	for _, err := range w.Past(ctx, j.ID, 0) {
		mustBe(t, err, context.Canceled)
	}
}
