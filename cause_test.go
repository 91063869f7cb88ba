package holdfast

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
)

func TestCauseOf(t *testing.T) {
	refused := Kindf(ErrRefused, "7 GiB needed, 2 GiB free")
	for _, c := range []struct {
		name string
		err  error
		want Cause
	}{
		{"nothing", nil, ""},
		{"no cause", &Error{Op: "backup", Err: refused}, ""},
		{"named", &Error{Op: "space", Err: refused, Cause: CauseNoSpace}, CauseNoSpace},
		{"named below", fmt.Errorf("now: %w", &Error{Op: "backup", Err: &Error{Op: "space", Err: refused, Cause: CauseNoSpace}}), CauseNoSpace},
		{"named beats what the system said", &Error{Err: &os.PathError{Op: "open", Path: "x", Err: syscall.EACCES}, Cause: CauseInUse}, CauseInUse},
		{"full disk", &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, CauseNoSpace},
		{"read-only", &Error{Op: "store", Err: &os.PathError{Op: "write", Path: "x", Err: syscall.EROFS}}, CauseReadOnly},
		{"forbidden", &os.PathError{Op: "open", Path: "x", Err: syscall.EACCES}, CauseDenied},
		{"refused connection", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, CauseUnreachable},
		{"one of several", errors.Join(errors.New("one"), &Error{Op: "create", Err: refused, Cause: CauseNameTaken}), CauseNameTaken},
	} {
		if got := CauseOf(c.err); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
