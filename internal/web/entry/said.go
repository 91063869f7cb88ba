package entry

import "github.com/holdfast-backup/holdfast/internal/web/ui"

// said gives the sentence with an id; nothing for none.
func said(p ui.Page, id string) string {
	if id == "" {
		return ""
	}
	return p.L.T(id)
}
