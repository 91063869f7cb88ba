package ui

import (
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/locale"
)

// Maker is the name of who asked for a work; those that are no tokens have words.
func Maker(l *locale.Locale, name string) string {
	switch name {
	case access.Local:
		return l.T("activity.by.local")
	case access.ChromaProxy:
		return l.T("activity.by.chroma_proxy")
	case access.CommandLine:
		return l.T("activity.by.command_line")
	case "schedule":
		return l.T("activity.by.schedule")
	case "owner":
		return l.T("activity.by.owner")
	}
	return name
}
