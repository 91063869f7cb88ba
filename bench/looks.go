//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
)

// lookDeltas is how many backups follow the full one, and slow from when on a glance is
// measured once.
const (
	lookDeltas = 3
	slow       = 5 * time.Second
)

// A lookout is a view of the backups in one place, as long as it is measured.
type lookout struct {
	view  view
	place place
	at    posting
	seen  []*seen
}

// seen is how long one glance took, and the same of a peer.
type seen struct {
	glance
	ours, peer []sight
}

// A sight is what one glance took.
type sight struct {
	reading
	traffic
}

// measureLooks measures looking into the backups of large databases.
func measureLooks(ctx context.Context, w *workshop, o options) (_ string, err error) {
	before := load()
	storage, err := w.serveS3(ctx)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, storage.stop()) }()
	bucket, err := w.countStorage(ctx, storage)
	if err != nil {
		return "", err
	}
	defer bucket.counter.stop()
	var text strings.Builder
	for _, v := range views(o) {
		all, err := w.prepareLooks(ctx, v, bucket)
		if err != nil {
			return "", fmt.Errorf("prepare %s: %w", v.title, err)
		}
		for _, l := range all {
			if err := l.measure(ctx, w, bucket, o.runs); err != nil {
				return "", err
			}
		}
		lookTable(&text, v, all)
	}
	fmt.Fprintf(&text, "Each process opens everything anew; %d runs of each, medians, one of what takes longer than %s; %d CPUs; %s; load of the machine before %s, after %s.\n",
		o.runs, slow, runtime.NumCPU(), versions(ctx), before, load())
	return text.String(), nil
}

// prepareLooks makes the data, a full backup of it in every place and some deltas, and what
// the peers keep of the first state and the last.
func (w *workshop) prepareLooks(ctx context.Context, v view, bucket *counted) ([]*lookout, error) {
	live := filepath.Join(w.dir, "live", v.key)
	if err := os.MkdirAll(live, 0o755); err != nil {
		return nil, err
	}
	target := live
	if v.kind == "sqlite" {
		target = filepath.Join(live, v.database)
	}
	fmt.Fprintf(os.Stderr, "making a %s\n", v.title)
	if err := w.child(ctx, nil, v.make[0], target, v.make[1]); err != nil {
		return nil, err
	}
	key, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, err
	}
	var all []*lookout
	for _, p := range places(v, key, bucket) {
		dir := filepath.Join(w.dir, "looks", v.key, p.folder)
		settings := fmt.Sprintf("%ssources:\n  looks: {type: %s, path: %q}\n", p.settings, v.kind, target)
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "key"), []byte(key.String()+"\n"), 0o600),
			os.WriteFile(filepath.Join(dir, "holdfast.yaml"), []byte(settings), 0o600)); err != nil {
			return nil, err
		}
		env := append(slices.Clone(bucket.env), "HOME="+dir, "S="+filepath.Join(live, v.database), "DB="+filepath.Join(dir, "peer.db"), "OLD="+filepath.Join(dir, "old.db"),
			"RESTIC_PASSWORD=bench", "RESTIC_REPOSITORY="+p.restic, "XDG_CACHE_HOME="+dir)
		all = append(all, &lookout{view: v, place: p, at: posting{dir: dir, counts: dir, env: env}})
	}
	for n := range lookDeltas + 1 {
		if n > 0 {
			args := append(append([]string{v.change[0], target}, v.change[1:]...), fmt.Sprint(n))
			if err := w.child(ctx, nil, args...); err != nil {
				return nil, err
			}
		}
		for _, l := range all {
			if err := l.keep(ctx, w, n); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// keep backs up state n, unless that was done for another place with the same backups.
func (l *lookout) keep(ctx context.Context, w *workshop, n int) error {
	if l.place.away > 0 {
		return nil
	}
	name := "first"
	if n > 0 {
		name = fmt.Sprintf("delta-%d", n)
	}
	p := l.at
	p.env = append(slices.Clone(p.env), fmt.Sprintf("N=%d", n))
	if _, err := w.time(ctx, p, fmt.Sprintf(`"$H" backup --quiet --no-prune --trigger scheduled --name %s`, name)); err != nil {
		return err
	}
	if n > 0 && n < lookDeltas {
		return nil
	}
	_, err := w.time(ctx, p, l.place.pack)
	return err
}

// measure takes every glance, ours and that of a peer in turns.
func (l *lookout) measure(ctx context.Context, w *workshop, bucket *counted, runs int) error {
	fmt.Fprintf(os.Stderr, "looking into %s, in %s\n", l.view.title, l.place.name)
	for _, g := range l.view.glances {
		s := &seen{glance: g}
		l.seen = append(l.seen, s)
		for range runs {
			if err := l.glance(ctx, w, bucket, &s.ours, `"$H" `+g.args, g.says); err != nil {
				return err
			}
			if g.peer == "" || l.place.peer == "" {
				continue
			}
			unpack := l.place.unpack + "; "
			if g.both {
				unpack += l.place.unpackOld + "; "
			}
			if err := l.glance(ctx, w, bucket, &s.peer, unpack+g.peer+`; rm -f "$DB" "$OLD"`, g.says); err != nil {
				return err
			}
		}
		fmt.Fprintf(os.Stderr, "  %s: %s, peer %s\n", g.what, seconds(s.ours[0].wall), peerSeconds(s))
	}
	return nil
}

func peerSeconds(s *seen) string {
	if len(s.peer) == 0 {
		return "none"
	}
	return seconds(s.peer[0].wall)
}

// glance takes one glance and checks that its answer is right.
func (l *lookout) glance(ctx context.Context, w *workshop, bucket *counted, to *[]sight, script, says string) error {
	if len(*to) > 0 && (*to)[0].wall > slow {
		return nil
	}
	before, err := bucket.told(ctx, l.place.away)
	if err != nil {
		return err
	}
	took, answer, err := w.hear(ctx, l.at, script)
	if err != nil {
		return err
	}
	after, err := bucket.told(ctx, 0)
	if err != nil {
		return err
	}
	if !strings.Contains(answer, says) {
		return fmt.Errorf("%s: the answer does not have %q:\n%.2000s", script, says, answer)
	}
	*to = append(*to, sight{took, after.since(before)})
	return nil
}
