package config

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
)

// Flags are the settings given on the command line.
type Flags struct {
	File   string // --config
	NoFile bool   // read no configuration file
	// AssumeUsual takes DefaultChroma as the source, if none is configured,
	// even where it does not exist: a restore may have to bring it back.
	AssumeUsual bool
	Repository  string // --repo
	// Sources replace those of the other layers if there are any.
	Sources []Source
	// Replicas replace those of the other layers if there are any.
	Replicas []Replica
	// Memory and RAGMode apply to every Chroma source.
	Memory  []string
	RAGMode string
	// Settings are further keys, by their name.
	Settings map[string]FlagValue
	// DatabasePath takes the database that DATABASE_PATH names as the source, if
	// none is configured, rather than one that is found in the usual place.
	DatabasePath bool
}

// A FlagValue is what one flag sets.
type FlagValue struct {
	Flag  string // as it is written: "--every"
	Value string
}

// databasePath is the variable of the programs, not one of holdfast's own, that
// names their database.
const databasePath = "DATABASE_PATH"

// Load reads all layers in the working directory and judges the outcome. Its
// error joins everything that is wrong.
func Load(flags Flags, environ []string) (*Config, error) {
	dotVars, err := readDotEnv()
	if err != nil {
		return nil, err
	}
	envVars := environMap(environ)
	file := ""
	if !flags.NoFile {
		if file, err = findFile(cmp.Or(flags.File, envVars[envConfig], dotVars[envConfig])); err != nil {
			return nil, err
		}
	}
	layers := []*layer{flags.layer(), readEnvironment(envVars, FromEnvironment), readEnvironment(dotVars, FromDotEnv)}
	if file != "" {
		l, err := readFile(file)
		if err != nil {
			return nil, err
		}
		layers = append(layers, l)
	}
	c := &Config{File: file}
	c.settle(layers)
	last := newLayer()
	if flags.DatabasePath {
		layers = append(layers, pathLayer(envVars[databasePath]))
	}
	lookup := func(name string) string { return cmp.Or(envVars[name], dotVars[name]) }
	c.settleSources(layers, flags, pathLayer(envVars[databasePath]), lookup, last)
	c.settleReplicas(layers, last)
	c.settleEncryption(last)
	c.settleServe(last)
	c.checkTelegram(last)
	var errs []error
	for _, l := range append(layers, last) {
		errs = append(errs, l.errs...)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return c, nil
}

// layer gives the flags' settings.
func (f Flags) layer() *layer {
	l := newLayer()
	if f.Repository != "" {
		l.values["repository"] = setting{raw: f.Repository, origin: Origin{Layer: FromFlag, Where: "--repo"}}
	}
	for key, v := range f.Settings {
		l.values[key] = setting{raw: v.Value, origin: Origin{Layer: FromFlag, Where: v.Flag}}
	}
	l.sources, l.replicas = f.Sources, f.Replicas
	return l
}

// pathLayer is the weakest of layers: the database of DATABASE_PATH, if that is
// set.
func pathLayer(path string) *layer {
	l := newLayer()
	if path == "" || strings.Contains(path, "://") { // of another kind of database
		return l
	}
	name := defaultName(holdfast.KindSQLite, path)
	if _, err := holdfast.ParseSourceName(name); err != nil {
		l.fault(databasePath, "name the source: --sqlite NAME="+path, "no name can be made of %s", path)
		return l
	}
	l.sources = []Source{{
		Name: name, Kind: holdfast.KindSQLite, Path: path, Origin: Origin{Layer: FromEnvironment, Where: databasePath},
	}}
	return l
}

// settle takes each key from the strongest layer that sets it. A value that
// does not parse is a fault of its layer.
func (c *Config) settle(layers []*layer) {
	for _, k := range Keys() {
		s, from := setting{raw: k.Default, origin: Origin{Layer: FromDefault}}, layers[0]
		for _, l := range layers {
			if v, ok := l.values[k.Name]; ok {
				s, from = v, l
				break
			}
		}
		set := s.origin.Layer != FromDefault
		if set && s.raw == "" {
			from.fault(s.origin.String(), "remove the key, or give it a value", "%s is empty", k.Name)
			continue
		}
		if s.raw != "" {
			if err := k.assign(c, s.raw); err != nil {
				if s.secret && !k.secret { // a secret key's parser quotes nothing
					err = errors.New("what it holds is not a value of this kind")
				}
				from.fault(s.origin.String(), "", "%s: %v", k.Name, err)
			}
		}
		if k.Name == "max_backup_size_mb" {
			c.MaxBackupSizeSet = set
		}
		if s.note != "" {
			c.Warnings = append(c.Warnings, holdfast.Problem{Object: k.Name, Severity: holdfast.Warning, Message: s.note, Hint: "keep one of the two"})
		}
		c.Values = append(c.Values, Value{Key: k.Name, Value: s.raw, Origin: s.origin, Secret: s.secret || k.secret})
	}
	c.Repository, c.State = expandHome(c.Repository), expandHome(c.State)
}

// settleSources takes the sources of the strongest layer that has any, else
// what is found in the usual place, else the database that DATABASE_PATH names.
func (c *Config) settleSources(layers []*layer, flags Flags, named *layer, lookup func(string) string, faults *layer) {
	configured := false
	for _, l := range layers {
		if l.sources != nil {
			c.Sources, configured = slices.Clone(l.sources), true
			break
		}
	}
	if !configured {
		if info, err := os.Stat(DefaultChroma); err == nil && info.IsDir() {
			c.Detected = true
			c.Sources = []Source{usual("found")}
		} else if named.sources != nil {
			c.Sources = named.sources
		} else if flags.AssumeUsual {
			c.Assumed = true
			c.Sources = []Source{usual("assumed")}
		}
	}
	applied := false
	for i := range c.Sources {
		s := &c.Sources[i]
		s.Path, s.Mirror = expandHome(s.Path), expandHome(s.Mirror)
		if s.Server != nil {
			c.settleServer(s, lookup, faults)
		}
		if s.Kind != holdfast.KindChroma {
			continue
		}
		applied = true
		if len(flags.Memory) > 0 {
			s.Memory = flags.Memory
		}
		s.RAGMode = cmp.Or(flags.RAGMode, s.RAGMode)
	}
	if !applied && (len(flags.Memory) > 0 || flags.RAGMode != "") {
		faults.fault("--memory-collection, --rag-mode", "add --chroma DIR or --chroma-url URL", "no Chroma source is configured")
	}
	c.Sources = checkSources(faults, c.Sources)
	for _, s := range c.Sources {
		c.Values = append(c.Values, s.values()...)
	}
}

// usual is the source that is taken if none is configured.
func usual(where string) Source {
	return Source{
		Name: defaultName(holdfast.KindChroma, ""), Kind: holdfast.KindChroma, Path: DefaultChroma,
		Origin: Origin{Layer: FromDefault, Where: where},
	}
}

// values shows a source as settings.
func (s Source) values() []Value {
	prefix := join(sourcesKey, s.Name)
	out := []Value{{Key: join(prefix, keyType), Value: string(s.Kind), Origin: s.Origin}}
	if s.Server != nil {
		out = append(out, s.Server.values(prefix, s.Origin)...)
	} else {
		out = append(out, Value{Key: join(prefix, keyPath), Value: s.Path, Origin: s.Origin})
	}
	if s.Kind == holdfast.KindChroma {
		out = append(out,
			Value{Key: join(prefix, "memory.collection"), Value: strings.Join(s.Memory, ", "), Origin: s.Origin},
			Value{Key: join(prefix, keyRAGMode), Value: s.RAGMode, Origin: s.Origin})
	}
	if s.Mirror != "" {
		out = append(out, Value{Key: join(prefix, keyMirror), Value: s.Mirror, Origin: s.Origin})
	}
	if len(s.Exclude) > 0 {
		out = append(out, Value{Key: join(prefix, keyExclude), Value: strings.Join(s.Exclude, ", "), Origin: s.Origin})
	}
	return out
}

// expandHome reads a leading "~/", which no shell expands in a file.
func expandHome(path string) string {
	rest, found := strings.CutPrefix(path, "~/")
	if !found {
		return path
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return path
	}
	return filepath.Join(home, rest)
}

// MaxBackupBytes is the size limit in bytes.
func (c *Config) MaxBackupBytes() int64 { return c.MaxBackupSizeMB << 20 }
