package telegramtest

import (
	"encoding/json"
	"regexp"
)

// mostCommands is how many commands a list may have.
const mostCommands = 100

var commandForm = regexp.MustCompile(`^[a-z0-9_]{1,32}$`)

// A command is one that the bot offers in its menu.
type command struct {
	Command     string `json:"command"`
	Description string `json:"description"`
}

// commandsFor is the name of a list: its scope and its language.
func (c *call) commandsFor() (string, error) {
	scope := struct {
		Type   string          `json:"type"`
		ChatID json.RawMessage `json:"chat_id"`
		UserID int64           `json:"user_id"`
	}{Type: "default"}
	if _, err := c.object("scope", &scope); err != nil {
		return "", err
	}
	key, err := json.Marshal([]any{scope.Type, scope.ChatID, scope.UserID, c.text("language_code")})
	return string(key), err
}

// setMyCommands implements the method.
func setMyCommands(c *call) (any, error) {
	var list []command
	given, err := c.object("commands", &list)
	switch {
	case err != nil:
		return nil, err
	case !given:
		return nil, badRequest("parameter \"commands\" is required")
	case len(list) > mostCommands:
		return nil, badRequest("BOT_COMMANDS_TOO_MUCH")
	}
	for _, one := range list {
		switch n := len([]rune(one.Description)); {
		case !commandForm.MatchString(one.Command):
			return nil, badRequest("BOT_COMMAND_INVALID")
		case n < 1 || n > 256:
			return nil, badRequest("BOT_COMMAND_DESCRIPTION_INVALID")
		}
	}
	return c.changeCommands(list)
}

// deleteMyCommands implements the method.
func deleteMyCommands(c *call) (any, error) { return c.changeCommands(nil) }

func (c *call) changeCommands(list []command) (any, error) {
	key, err := c.commandsFor()
	if err != nil {
		return nil, err
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if len(list) == 0 {
		delete(c.s.state.Commands, key)
	} else {
		c.s.state.Commands[key] = list
	}
	c.s.touch()
	return true, nil
}

// getMyCommands implements the method.
func getMyCommands(c *call) (any, error) {
	key, err := c.commandsFor()
	if err != nil {
		return nil, err
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if list := c.s.state.Commands[key]; list != nil {
		return list, nil
	}
	return []command{}, nil
}
