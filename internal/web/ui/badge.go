package ui

import "github.com/holdfast-backup/holdfast"

// triggerIcon is the picture of what caused a backup.
func triggerIcon(t holdfast.Trigger) string {
	switch t {
	case holdfast.TriggerQuick:
		return "zap"
	case holdfast.TriggerAuto, holdfast.TriggerChange:
		return "refresh-cw"
	case holdfast.TriggerScheduled:
		return "clock"
	case holdfast.TriggerStartup, holdfast.TriggerShutdown:
		return "power"
	case holdfast.TriggerEmergency:
		return "rotate-ccw"
	case holdfast.TriggerGuard:
		return "shield"
	}
	return "user"
}
