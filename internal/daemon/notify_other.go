//go:build !linux

package daemon

import systemd "github.com/coreos/go-systemd/v22/daemon"

// reloading says that the configuration is read again.
func (m manager) reloading() { m.tell(systemd.SdNotifyReloading) }
