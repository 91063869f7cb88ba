package cli

import (
	"context"

	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/report"
)

type configCmd struct {
	Show configShowCmd `cmd:"" help:"Print every setting with its value and where it came from."`
}

type configShowCmd struct{}

func (configShowCmd) about() about {
	return about{
		text: `A flag wins over the environment, the environment over .env, .env over the
configuration file, the file over the default. Values that were read from a file
by a variable ending in _FILE are secrets and are shown as ***.`,
		examples: []example{{"holdfast config show", "which setting comes from where"}},
	}
}

// configObject is the outcome of config show.
type configObject struct {
	Type   string      `json:"type"` // config
	File   string      `json:"file,omitempty"`
	Values []valueItem `json:"values"`
}

// valueItem is one setting.
type valueItem struct {
	Key    string        `json:"key"`
	Value  string        `json:"value"`
	Env    string        `json:"env,omitempty"`
	Note   string        `json:"note,omitempty"` // what beats it
	Origin config.Origin `json:"origin"`
}

// Run prints the configuration.
func (c *configShowCmd) Run(_ context.Context, a *app) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	env := map[string]string{}
	for _, k := range config.Keys() {
		env[k.Name] = k.Env()
	}
	out := configObject{Type: "config", File: cfg.File, Values: []valueItem{}}
	for _, v := range cfg.Values {
		out.Values = append(out.Values, valueItem{Key: v.Key, Value: v.Shown(), Env: env[v.Key], Note: report.NoteOn(cfg, v.Key), Origin: v.Origin})
	}
	a.ui.tell(out, func() {
		t := table{head: []string{"KEY", "VALUE", "FROM"}}
		for _, v := range out.Values {
			value := v.Value
			if v.Note != "" {
				value += " (" + v.Note + ")"
			}
			t.add(v.Key, value, v.Origin.String())
		}
		a.ui.print("%s", t.render(a.ui.outPaint))
	})
	return nil
}
