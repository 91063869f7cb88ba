// Package buckettest holds every bucket to the promises on the interfaces of
// package bucket: each sentence there is a subtest here.
//
// Start from [Run], and [RunFencing] for what needs a lease that can be lost.
package buckettest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/holdfast-backup/holdfast/bucket"
)

// Run runs the suite. open gives a new, empty bucket.
func Run(t *testing.T, open func(t *testing.T) bucket.Bucket) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, b bucket.Bucket)
	}{
		{"Keys/hostile ones are refused before the store is touched", hostileKeys},
		{"Keys/any script is kept as it is", unicodeKeys},
		{"Location/tells people where the objects are", location},
		{"Open/random access from several goroutines", randomAccess},
		{"Open/absent is fs.ErrNotExist", openAbsent},
		{"Put/replaces", putReplaces},
		{"Put/IfAbsent leaves an existing object alone", putIfAbsent},
		{"Put/replaces atomically", putIsAtomic},
		{"List/in the order of the keys, below the prefix", listOrder},
		{"List/tells size and time", listInfo},
		{"List/stops when asked", listStops},
		{"Folders/names what goes on below, each once, in the order of the keys", folders},
		{"Folders/a prefix that is no folder is refused", foldersRefused},
		{"Folders/neither stages nor trees being removed", foldersHidden},
		{"Delete/removes one object, and can repeat", deleteRepeats},
		{"Create/shows one object when it is closed", createShows},
		{"Create/replaces, and whoever has the old object open goes on reading it", createReplaces},
		{"Create/Discard leaves the old object", createDiscards},
		{"Create/a cancelled one leaves the old object", createCancelled},
		{"Create/any size, read anywhere", createLarge},
		{"Stage/nothing is visible before Commit, all of it after", stageVisibility},
		{"Stage/Commit onto existing objects fails and harms nothing", commitTaken},
		{"Stage/Commit where objects were, but are no more", commitAfterRemoval},
		{"Stage/Commit of one of two for the same prefix", commitRace},
		{"Stage/Commit with an open writer is refused", commitOpenWriter},
		{"Stage/Abort removes everything", abort},
		{"Stage/Abort after Commit does nothing", abortAfterCommit},
		{"Stage/Abort works on a cancelled context", abortCancelled},
		{"Stage/nothing works after the end", stageEnded},
		{"Stage/objects side by side", sideBySide},
		{"Stage/Create again replaces", createAgain},
		{"Stage/an open object outlives its replacement and its removal", openOutlives},
		{"Stage/Open reads back, Remove drops", readBack},
		{"Stage/a prefix of several elements", deepPrefix},
		{"Stage/Resume begins with what was complete", resume},
		{"Stage/Resume takes only what can be resumed, and only if asked", resumeOfOthers},
		{"Writer/Skip adds zeros", skip},
		{"Writer/Discard drops, and after Close does nothing", discard},
		{"Writer/refuses more after Close", writeAfterClose},
		{"RemoveTree/removes that tree only, and can repeat", removeTree},
		{"Clean/removes what was left behind and nothing else", clean},
		{"Clean/keeps what can be resumed; Abort removes it", resumeKept},
		{"Lock/one holder at a time, named to the others", lock},
		{"Lock/only one of many wins", lockRace},
		{"Free/does not fail", free},
		{"Context/a cancelled one stops every operation", cancelled},
		{"Model/random histories agree with a map", model},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

const marker = "marker.json"

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// is reports an error of the wrong kind.
func is(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want an error that matches %q", what, err, want)
	}
}

// read gives the content of an object.
func read(t *testing.T, b bucket.Bucket, key string) []byte {
	t.Helper()
	o, err := b.Open(t.Context(), key)
	must(t, err)
	return readObject(t, o)
}

func readObject(t *testing.T, o bucket.Object) []byte {
	t.Helper()
	data, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
	must(t, errors.Join(err, o.Close()))
	return data
}

func holds(t *testing.T, b bucket.Bucket, key, want string) {
	t.Helper()
	if got := read(t, b, key); string(got) != want {
		t.Errorf("%s holds %d bytes %.40q, want %d bytes %.40q", key, len(got), got, len(want), want)
	}
}

// keys lists the bucket.
func keys(t *testing.T, b bucket.Bucket, prefix string) []string {
	t.Helper()
	found := []string{}
	for info, err := range b.List(t.Context(), prefix) {
		must(t, err)
		found = append(found, info.Key)
	}
	return found
}

func lists(t *testing.T, b bucket.Bucket, prefix string, want ...string) {
	t.Helper()
	if got := keys(t, b, prefix); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("List(%q) gave %q, want %q", prefix, got, want)
	}
}

func put(t *testing.T, b bucket.Bucket, key, data string) {
	t.Helper()
	must(t, b.Put(t.Context(), key, []byte(data), bucket.Replace))
}

// write adds an object to a stage.
func write(ctx context.Context, s bucket.Stage, key, data string) error {
	w, err := s.Create(ctx, key)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, bytes.NewReader([]byte(data)))
	return errors.Join(err, w.Close())
}

// stage begins a tree with the given objects.
func stage(t *testing.T, b bucket.Bucket, prefix string, objects map[string]string) bucket.Stage {
	t.Helper()
	s, err := b.Stage(t.Context(), prefix, bucket.StageOptions{Marker: marker})
	must(t, err)
	for key, data := range objects {
		must(t, write(t.Context(), s, key, data))
	}
	return s
}

// commit makes a tree with a marker.
func commit(t *testing.T, b bucket.Bucket, prefix string, objects map[string]string) {
	t.Helper()
	must(t, stage(t, b, prefix, objects).Commit(t.Context(), []byte("committed")))
}
