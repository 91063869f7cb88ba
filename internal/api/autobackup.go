package api

import (
	"context"
	"net/http"

	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/report"
)

type autoBackupInput struct{ Body operation.AutoBackupRequest }

type autoBackupOutput struct{ Body autoBackupBody }

// An autoBackupBody tells how Auto Backup stands.
type autoBackupBody struct {
	Type string `json:"type" enum:"auto_backup"`
	report.AutoBackup
}

// addAutoBackup adds the switch of the backups that assistants ask for.
func (s *server) addAutoBackup() {
	add(s, route{
		id: "getAutoBackup", method: http.MethodGet, path: "/auto_backup", tag: "state", summary: "Whether Auto Backup is on",
		description: "Whether `{\"trigger\":\"auto\"}` makes a backup: what the configuration says, and how the switch stands, with who turned it and when.",
		scopes:      access.AllScopes(), status: http.StatusOK,
	}, func(context.Context, *nothing) (*autoBackupOutput, error) {
		return autoBackupNow(s.core().Operations.AutoBackup()), nil
	})
	add(s, route{
		id: "setAutoBackup", method: http.MethodPut, path: "/auto_backup", tag: "state", summary: "Turn Auto Backup on or off",
		description: "Until somebody turns it again, also over restarts. What the configuration switches off stays off: that is refused.",
		scopes:      owning, status: http.StatusOK,
	}, func(ctx context.Context, in *autoBackupInput) (*autoBackupOutput, error) {
		access.Note(ctx, access.Facts{Object: "auto_backup " + onOff(in.Body.On)})
		now, err := s.core().Operations.SetAutoBackup(caller(ctx), in.Body)
		if err != nil {
			return nil, err
		}
		return autoBackupNow(now), nil
	})
}

func autoBackupNow(a report.AutoBackup) *autoBackupOutput {
	return &autoBackupOutput{autoBackupBody{"auto_backup", a}}
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
