// Package screen is what the admin panel shows in a chat: each screen is a pure function
// of a model and a [Reader], and gives a text with the buttons below it.
//
// Start from [Screen] and [Reader]; then the screens in the order in which people meet
// them: [Admin], [System], [Overview], [Create], [List], [Details], [Restore],
// [Rollback], [Recover], [Work], [Send], [Notice].
//
// What it promises: a text is HTML as Telegram reads it, at most [Most] units long
// whatever the names and errors in it are; names, paths and ids stand in isolated code, so
// that they do not tear a sentence of the other direction apart; every button says in at
// most 64 bytes all that is needed to act on it, so that it outlives a restart ([Action]).
//
// All text comes from package locale. What the engine said in English stands in italics
// below what kind of failure it is in the reader's words.
package screen

import "github.com/go-telegram/bot/models"

// A Screen is a text with the buttons below it.
type Screen struct {
	Text string // HTML
	Rows [][]Button
}

// A Button is one button.
type Button struct {
	Label string
	Data  string // what is called back
}

// Markup gives the buttons as Telegram takes them.
func (s Screen) Markup() models.InlineKeyboardMarkup {
	out := models.InlineKeyboardMarkup{InlineKeyboard: [][]models.InlineKeyboardButton{}}
	for _, row := range s.Rows {
		var line []models.InlineKeyboardButton
		for _, b := range row {
			line = append(line, models.InlineKeyboardButton{Text: b.Label, CallbackData: b.Data})
		}
		if len(line) > 0 {
			out.InlineKeyboard = append(out.InlineKeyboard, line)
		}
	}
	return out
}

// add puts a row of buttons below the others.
func (s *Screen) add(row ...Button) {
	if len(row) > 0 {
		s.Rows = append(s.Rows, row)
	}
}
