package daemon

import (
	"fmt"

	systemd "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// reloading says that the configuration is read again. systemd wants the moment by its own
// clock.
func (m manager) reloading() {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		m.log.Warn("the service manager cannot be told", keyError, err)
		return
	}
	m.tell(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", systemd.SdNotifyReloading, now.Nano()/1000))
}
