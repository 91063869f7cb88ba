package daemon

import (
	"context"
	"log/slog"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
)

// A manager is the service manager that started the daemon, if there is one: systemd's
// protocol, which others speak too.
type manager struct{ log *slog.Logger }

// tell sends a state. That nobody listens is no error.
func (m manager) tell(state string) {
	if _, err := systemd.SdNotify(false, state); err != nil {
		m.log.Warn("the service manager cannot be told", keyError, err)
	}
}

// ready says that it serves, or serves again after a reload.
func (m manager) ready(status string) { m.tell(systemd.SdNotifyReady + "\nSTATUS=" + status) }

// status says in a sentence how it stands.
func (m manager) status(sentence string) { m.tell("STATUS=" + sentence) }

func (m manager) stopping() { m.tell(systemd.SdNotifyStopping + "\nSTATUS=stopping") }

// watch says that the daemon lives as long as it does, as often as the manager wants to
// hear it, until ctx ends.
func (m manager) watch(ctx context.Context, lives func() error) {
	every, err := systemd.SdWatchdogEnabled(false)
	if err != nil || every <= 0 {
		return
	}
	tick := time.NewTicker(max(every/3, time.Millisecond))
	defer tick.Stop()
	for {
		if err := lives(); err != nil {
			m.log.Error("it hangs: the service manager is not told that it lives", keyError, err)
		} else {
			m.tell(systemd.SdNotifyWatchdog)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
