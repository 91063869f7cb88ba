package telegramtest

import (
	"encoding/json"
	"net/url"
	"strings"
)

const (
	mostData    = 64 // bytes of a button's data
	mostRow     = 8  // buttons side by side
	mostButtons = 100
	mostHint    = 64 // characters of a hint in the field of a reply
)

// A Keyboard is the buttons below a message.
type Keyboard struct {
	Rows [][]Button `json:"inline_keyboard"`
}

// A Button sends its data back or opens a URL.
type Button struct {
	Text         string `json:"text"`
	CallbackData string `json:"callback_data,omitempty"`
	URL          string `json:"url,omitempty"`
}

// A markup is what comes with a message: buttons below it, or the wish for a
// reply.
type markup struct {
	inline     *Keyboard
	forceReply bool
	hint       string
}

// markup reads reply_markup.
func (c *call) markup() (markup, error) {
	var raw struct {
		Rows       *[][]Button     `json:"inline_keyboard"`
		Keyboard   json.RawMessage `json:"keyboard"`
		Remove     bool            `json:"remove_keyboard"`
		ForceReply bool            `json:"force_reply"`
		Hint       string          `json:"input_field_placeholder"`
	}
	given, err := c.object("reply_markup", &raw)
	switch {
	case err != nil:
		return markup{}, badRequest("can't parse reply keyboard markup JSON object")
	case !given, raw.Remove:
		return markup{}, nil
	case raw.Keyboard != nil:
		return markup{}, badRequest("the double has no reply keyboards: it knows inline ones and force_reply")
	case raw.ForceReply:
		if len([]rune(raw.Hint)) > mostHint {
			return markup{}, badRequest("input field placeholder is too long")
		}
		return markup{forceReply: true, hint: raw.Hint}, nil
	case raw.Rows == nil:
		return markup{}, nil
	}
	k, err := checked(*raw.Rows)
	return markup{inline: k}, err
}

// inlineMarkup reads the reply_markup of an edit.
func (c *call) inlineMarkup() (*Keyboard, error) {
	m, err := c.markup()
	return m.inline, err
}

// checked checks buttons as Telegram does, and leaves out empty rows.
func checked(rows [][]Button) (*Keyboard, error) {
	k := &Keyboard{}
	n := 0
	for _, row := range rows {
		if len(row) == 0 {
			continue
		}
		for _, b := range row {
			if err := b.check(); err != nil {
				return nil, err
			}
		}
		if n += len(row); len(row) > mostRow || n > mostButtons {
			return nil, badRequest("BUTTONS_TOO_MUCH")
		}
		k.Rows = append(k.Rows, row)
	}
	if k.Rows == nil {
		return nil, nil
	}
	return k, nil
}

func (b Button) check() error {
	switch {
	case strings.TrimSpace(b.Text) == "":
		return badRequest("can't parse inline keyboard button: text is empty")
	case b.CallbackData == "" && b.URL == "":
		return badRequest("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
	case len(b.CallbackData) > mostData:
		return badRequest("BUTTON_DATA_INVALID")
	}
	if b.URL != "" {
		u, err := url.Parse(b.URL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "tg" {
			return badRequest("inline keyboard button URL '%s' is invalid: Wrong HTTP URL", b.URL)
		}
	}
	return nil
}
