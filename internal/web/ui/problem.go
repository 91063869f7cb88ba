package ui

import "github.com/holdfast-backup/holdfast"

// severityTone is how bad a problem is.
func severityTone(s holdfast.Severity) Tone {
	if s == holdfast.Warning {
		return Warn
	}
	return Bad
}
