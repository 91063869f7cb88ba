package repo

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/holdfast-backup/holdfast"
)

// VerifyStored reads every stored byte of a backup and compares it with
// SHA256SUMS and with the commit marker. It needs no key: an encrypted backup
// is not opened, so that nothing is proven of what is in it.
func (r *Repository) VerifyStored(ctx context.Context, name holdfast.BackupName, progress func(done, total int64)) ([]holdfast.Problem, error) {
	fail := func(err error) ([]holdfast.Problem, error) {
		return nil, &holdfast.Error{Op: "verify", Object: string(name), Err: err}
	}
	if _, err := r.info(ctx, name); err != nil {
		return nil, err
	}
	problems, err := r.verifyBeside(ctx, name)
	if err != nil {
		return fail(err)
	}
	data, m, err := r.loadMarker(ctx, name)
	if damaged, ok := errors.AsType[*holdfast.DamagedError](err); ok {
		return append(problems, damaged.Problems...), nil
	}
	if err != nil {
		return fail(err)
	}
	v := &storedVerification{r: r, name: name, m: m, progress: progress, problems: problems}
	if err := v.sums(ctx, data); err != nil {
		return fail(err)
	}
	if err := v.files(ctx); err != nil {
		return fail(err)
	}
	return v.problems, nil
}

// storedVerification is one run of VerifyStored.
type storedVerification struct {
	r           *Repository
	name        holdfast.BackupName
	m           *marker
	lines       []sumLine
	progress    func(done, total int64)
	done, total int64
	problems    []holdfast.Problem
	unsettled   bool // a compaction was cut
}

func (v *storedVerification) damaged(object string, err error) {
	v.problems = append(v.problems, damagedObject(object, err))
}

// sums reads SHA256SUMS and compares it with what the marker says of it.
func (v *storedVerification) sums(ctx context.Context, metadata []byte) error {
	key := string(v.name) + "/" + holdfast.SumsFile
	if j, err := v.r.compactJournal(ctx, v.name); err == nil && j != nil {
		v.unsettled = true
		if v.m.ManifestSHA256 != j.From {
			key = compactSumsKey(v.name) // not in its place yet
		}
	}
	data, err := readSmall(ctx, v.r.b, key)
	if errors.Is(err, fs.ErrNotExist) {
		data, err = readSmall(ctx, v.r.b, string(v.name)+"/"+holdfast.SumsFile)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = &damage{"", errors.New("is missing")}
	}
	if errors.Is(err, holdfast.ErrDamaged) {
		v.damaged(holdfast.SumsFile, err)
		return nil
	}
	if err != nil {
		return err
	}
	lines, err := readSums(data)
	if err != nil {
		v.damaged(holdfast.SumsFile, err)
		return nil
	}
	own := sha256.New()
	for _, l := range lines {
		if l.name != holdfast.MetadataFile {
			own.Write([]byte(l.String()))
			v.lines = append(v.lines, l)
		}
	}
	switch {
	case v.m.SumsSHA256 != "" && hex.EncodeToString(own.Sum(nil)) != v.m.SumsSHA256,
		len(v.lines) != len(lines)-1:
		v.damaged(holdfast.SumsFile, fmt.Errorf("is not the list recorded in %s", holdfast.MetadataFile))
	case !bytes.Contains(data, []byte(sumLine{holdfast.MetadataFile, sumOf(metadata)}.String())):
		v.damaged(holdfast.SumsFile, fmt.Errorf("does not have the sum of %s", holdfast.MetadataFile))
	}
	return nil
}

// readSums reads the lines of SHA256SUMS.
func readSums(data []byte) ([]sumLine, error) {
	var lines []sumLine
	s := bufio.NewScanner(bytes.NewReader(data))
	for s.Scan() {
		text, escaped := strings.CutPrefix(s.Text(), `\`)
		sum, name, ok := strings.Cut(text, "  ")
		if escaped {
			name = unescapeSumName.Replace(name)
		}
		if !ok || !isHex(sum) || name == "" {
			return nil, errors.New("has a line that is no sum")
		}
		lines = append(lines, sumLine{name, sum})
	}
	var again strings.Builder
	if err := writeSums(&again, lines); err != nil {
		return nil, err
	}
	if err := s.Err(); err != nil || again.String() != string(data) {
		return nil, errors.New("is not as it was written")
	}
	return lines, nil
}

var unescapeSumName = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r")

// files compares what is in the folder with the sums.
func (v *storedVerification) files(ctx context.Context) error {
	there := map[string]bool{}
	prefix := string(v.name) + "/"
	for obj, err := range v.r.b.List(ctx, prefix) {
		if err != nil {
			return err
		}
		there[strings.TrimPrefix(obj.Key, prefix)] = true
		v.total += obj.Size
	}
	listed := map[string]bool{holdfast.MetadataFile: true, holdfast.SumsFile: true}
	for _, l := range v.lines {
		listed[l.name] = true
		if !there[l.name] {
			v.damaged(l.name, errors.New("is missing"))
			continue
		}
		if err := v.file(ctx, l); err != nil {
			return err
		}
	}
	for name := range there {
		if !listed[name] && !v.unsettled {
			v.problems = append(v.problems, stranger(name))
		}
	}
	return nil
}

// file reads one stored file. What keeps its bytes from being read keeps them
// from being restored, so that it is damage.
func (v *storedVerification) file(ctx context.Context, l sumLine) error {
	obj, err := v.r.b.Open(ctx, string(v.name)+"/"+l.name)
	if err != nil {
		v.damaged(l.name, err)
		return context.Cause(ctx)
	}
	defer obj.Close()
	sum, err := sumObject(ctx, obj, func(n int64) {
		if v.done += n; v.progress != nil && n > 0 {
			v.progress(v.done, v.total)
		}
	})
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		v.damaged(l.name, err)
	case sum != l.sha256:
		v.damaged(l.name, errors.New("the stored bytes do not have the SHA-256 recorded when they were written"))
	}
	return nil
}
