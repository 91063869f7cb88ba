//go:build unix

package supervise

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

// A program that answers later than it was given time for is told, and ready when
// it does answer.
func TestRun_AProgramThatAnswersLateIsReadyThen(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t).set("run.ready", "http://"+address+"/").set("run.ready_timeout", "200ms")
	l := w.begin(bot(t, "stay"))
	l.prints("rows 1") // from then on it ends well when it is told to
	l.until("it is told", func() bool { return l.warned("the program does not serve: no answer after 200ms") })
	if st := l.s.board.standing(); st.State != holdfast.StandingStarting || !strings.Contains(st.Message, "does not answer yet") || len(st.Problems) == 0 {
		t.Errorf("the status says %s: %s, %+v", st.State, st.Message, st.Problems)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.NotFoundHandler()}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer func() { _ = server.Close(); <-served }()
	l.until("it is ready", func() bool { return l.state() == holdfast.StandingReady })
	for _, p := range l.s.board.standing().Problems {
		if strings.Contains(p.Message, "does not serve") {
			t.Errorf("it is still told: %+v", p)
		}
	}
	l.signals <- terminate
	if exit, err := l.end(); exit != 0 || err != nil {
		t.Errorf("exit %d, %v\n%s", exit, err, l)
	}
}
