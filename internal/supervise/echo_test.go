package supervise

import (
	"context"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A tool that tells the process and then its group has not asked twice.
func TestWithoutEchoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		defer end()
		in := make(chan os.Signal)
		out := withoutEchoes(ctx, in)
		for _, s := range []struct {
			after time.Duration
			sig   os.Signal
			heard bool
		}{
			{0, syscall.SIGHUP, true},
			{0, syscall.SIGHUP, true},
			{0, terminate, true},
			{0, terminate, false},
			{echoTime / 2, os.Interrupt, false},
			{0, syscall.SIGHUP, true},
			{echoTime, terminate, true},
			{0, terminate, false},
		} {
			time.Sleep(s.after)
			in <- s.sig
			synctest.Wait()
			select {
			case got := <-out:
				if !s.heard || got != s.sig {
					t.Errorf("%v %v after the last signal: heard %v", s.sig, s.after, got)
				}
			default:
				if s.heard {
					t.Errorf("%v %v after the last signal was not heard", s.sig, s.after)
				}
			}
		}
	})
}
