package config

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
)

// Template writes a configuration file called name that says what c says:
// repository and sources active, every other setting explained and commented
// out at its default.
func Template(c *Config, name string) ([]byte, error) {
	place := func(path string) (string, error) {
		// A path in the file is meant from the file's folder.
		if filepath.Dir(name) == "." || filepath.IsAbs(path) {
			return path, nil
		}
		return filepath.Abs(path)
	}
	var b strings.Builder
	b.WriteString("# holdfast: what is protected, and where the backups lie.\n" +
		"# `holdfast config show` prints every setting with its origin. Every key has an\n" +
		"# environment name, too: retention.days is HOLDFAST_RETENTION_DAYS.\n\n")
	repository, err := place(c.Repository)
	if err != nil {
		return nil, fmt.Errorf("repository %s: %w", c.Repository, err)
	}
	fmt.Fprintf(&b, "# %s\nrepository: %s\n\n", keyDoc("repository"), scalar(repository))
	b.WriteString("# What is protected, each under a name of its own. Types: chroma, sqlite, files.\n")
	if len(c.Sources) == 0 {
		b.WriteString("# sources:\n#   chromadb: {type: chroma, path: ./data/chromadb, memory: {collection: enhanced_rag_memory}}\n#   bot:      {type: sqlite, path: /tmp/bot_database.db}\n")
	} else {
		b.WriteString("sources:\n")
	}
	for _, s := range c.Sources {
		fmt.Fprintf(&b, "  %s:\n    type: %s\n", scalar(s.Name), s.Kind)
		if s.Server != nil {
			s.Server.template(&b)
		} else {
			path, err := place(s.Path)
			if err != nil {
				return nil, fmt.Errorf("source %s: %w", s.Name, err)
			}
			fmt.Fprintf(&b, "    path: %s\n", scalar(path))
		}
		if len(s.Memory) > 0 {
			names := make([]string, len(s.Memory))
			for i, m := range s.Memory {
				names[i] = scalar(m)
			}
			fmt.Fprintf(&b, "    memory: {collection: [%s]}\n    rag_mode: %s\n", strings.Join(names, ", "), s.RAGMode)
		}
	}
	group := ""
	for _, k := range Keys() {
		if k.Name == "repository" || k.EnvOnly {
			continue
		}
		parent, leaf, nested := strings.Cut(k.Name, ".")
		if !nested {
			fmt.Fprintf(&b, "\n# %s\n# %s:%s\n", k.Doc, k.Name, spaced(k.Default))
			continue
		}
		if parent != group {
			group = parent
			fmt.Fprintf(&b, "\n# %s:\n", parent)
		}
		fmt.Fprintf(&b, "#   # %s\n#   %s:%s\n", k.Doc, leaf, spaced(k.Default))
	}
	return []byte(b.String()), nil
}

func spaced(value string) string {
	if value == "" {
		return ""
	}
	return " " + value
}

// scalar writes s as one YAML value.
func scalar(s string) string {
	out, err := yaml.Marshal(s)
	if err != nil {
		return `""`
	}
	text := strings.TrimSuffix(string(out), "\n")
	if strings.Contains(text, "\n") || strings.ContainsAny(text, ",[]{}") && !strings.HasPrefix(text, `"`) && !strings.HasPrefix(text, "'") {
		return fmt.Sprintf("%q", s)
	}
	return text
}

func keyDoc(name string) string {
	for _, k := range Keys() {
		if k.Name == name {
			return k.Doc
		}
	}
	return ""
}
