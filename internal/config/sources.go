package config

import (
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml/ast"

	"github.com/holdfast-backup/holdfast"
)

// The keys of one source.
const (
	keyType    = "type"
	keyPath    = "path"
	keyMemory  = "memory"
	keyRAGMode = "rag_mode"
	keyExclude = "exclude"
	keyMirror  = "mirror"
)

var (
	sourceKeys = slices.Concat([]string{keyType, keyPath, keyMemory, keyRAGMode, keyExclude, keyMirror}, serverKeys)
	memoryKeys = []string{"collection"}
	kinds      = []string{string(holdfast.KindChroma), string(holdfast.KindSQLite), string(holdfast.KindFiles)}
	ragModes   = []string{RAGEnhanced, RAGStandard}
)

// sources reads the map of sources.
func (w *walker) sources(n ast.Node) {
	w.layer.sources = []Source{}
	for _, e := range w.entries(n, sourcesKey) {
		name := keyText(e.Key)
		if _, err := holdfast.ParseSourceName(name); err != nil {
			w.layer.fault(w.at(e.Key), holdfast.HintOf(err), "%v", err)
			continue
		}
		w.layer.sources = append(w.layer.sources, w.source(e.Value, name, w.origin(e.Key)))
	}
}

// source reads one entry of the map; whether it is whole is judged later,
// together with the sources of other layers.
func (w *walker) source(n ast.Node, name string, origin Origin) Source {
	s := Source{Name: name, Origin: origin}
	prefix := join(sourcesKey, name)
	for _, e := range w.entries(n, prefix) {
		key := keyText(e.Key)
		full := join(prefix, key)
		switch key {
		case keyType:
			raw, _ := w.scalar(e.Value, full)
			s.Kind = holdfast.Kind(raw)
			if raw != "" && !slices.Contains(kinds, raw) {
				w.unknownValue(e.Value, full, raw, kinds)
			}
		case keyPath:
			s.Path, _ = w.scalar(e.Value, full)
		case keyMirror:
			s.Mirror, _ = w.scalar(e.Value, full)
		case keyRAGMode:
			s.RAGMode, _ = w.scalar(e.Value, full)
			if s.RAGMode != "" && !slices.Contains(ragModes, s.RAGMode) {
				w.unknownValue(e.Value, full, s.RAGMode, ragModes)
			}
		case keyMemory:
			s.Memory = w.memory(e.Value, full)
		case keyExclude:
			s.Exclude = w.list(e.Value, full)
		case keyURL, keyTenant, keyDatabases, keyHeaders, keyHeadersFile, keyRate, keyPatience:
			w.serverKey(&s, key, full, e.Value)
		default:
			w.unknown(e.Key, full, prefixed(prefix, sourceKeys))
		}
	}
	return s
}

// memory reads the collections that are the assistant's memory: one name or a
// list.
func (w *walker) memory(n ast.Node, prefix string) []string {
	var names []string
	for _, e := range w.entries(n, prefix) {
		full := join(prefix, keyText(e.Key))
		if keyText(e.Key) != "collection" {
			w.unknown(e.Key, full, prefixed(prefix, memoryKeys))
			continue
		}
		names = append(names, w.list(e.Value, full)...)
	}
	return names
}

// list reads one value or a list of them.
func (w *walker) list(n ast.Node, key string) []string {
	values := []ast.Node{n}
	if list, ok := n.(*ast.SequenceNode); ok {
		values = list.Values
	}
	var out []string
	for _, v := range values {
		if text, ok := w.scalar(v, key); ok {
			out = append(out, text)
		}
	}
	return out
}

func (w *walker) unknownValue(n ast.Node, key, raw string, known []string) {
	hint := "one of " + strings.Join(known, ", ")
	if near := Nearest(raw, known); near != "" {
		hint = "did you mean " + near + "? " + hint + " is possible"
	}
	w.layer.fault(w.at(n), hint, "%s: %q is not known", key, raw)
}

func prefixed(prefix string, names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = join(prefix, n)
	}
	return out
}

// AdHoc makes a source from a flag's value, "path" or "name=path". Text before
// the first "=" is a name if it could be one; a path that itself contains "="
// can be written ./like=this.
func AdHoc(kind holdfast.Kind, flag, value string) (Source, error) {
	s := Source{Kind: kind, Path: value, Origin: Origin{Layer: FromFlag, Where: "--" + flag}}
	wrong := func(hint, format string, args ...any) (Source, error) {
		return Source{}, &holdfast.Error{
			Op: "--" + flag, Object: value, Hint: hint,
			Err: holdfast.Kindf(holdfast.ErrUsage, format, args...),
		}
	}
	if name, path, found := strings.Cut(value, "="); found && !strings.ContainsAny(name, `/\`) {
		checked, err := holdfast.ParseSourceName(name)
		if err != nil {
			return wrong("a path that contains = can be written ./"+value, "%v", err)
		}
		s.Name, s.Path = checked, path
	}
	if s.Path == "" {
		return wrong("write --"+flag+" PATH or --"+flag+" NAME=PATH", "the path is empty")
	}
	if s.Name == "" {
		s.Name = defaultName(kind, s.Path)
		if _, err := holdfast.ParseSourceName(s.Name); err != nil {
			return wrong("name it: --"+flag+" NAME="+value, "no name can be made of this path")
		}
	}
	return s, nil
}

// defaultName names a source by its kind and path.
func defaultName(kind holdfast.Kind, path string) string {
	if kind == holdfast.KindChroma {
		return "chromadb"
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return ""
	}
	base := filepath.Base(abs)
	if base == string(filepath.Separator) {
		return ""
	}
	if kind == holdfast.KindSQLite {
		base = strings.TrimSuffix(base, filepath.Ext(base))
	}
	base = strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || strings.ContainsRune("._-\u200c", r) {
			return r
		}
		return '_'
	}, base)
	return strings.TrimRight(strings.TrimLeft(base, ".-"), ".")
}

// checkSources judges the sources that are in effect, as one set.
func checkSources(l *layer, sources []Source) []Source {
	seen := map[string]Source{}
	for i, s := range sources {
		where := s.Origin.String()
		key := join(sourcesKey, s.Name)
		if s.Kind == "" {
			l.fault(where, "one of "+strings.Join(kinds, ", "), "%s.type is missing", key)
		}
		switch {
		case s.Server != nil:
			checkServer(l, s)
		case s.Path == "":
			l.fault(where, "", "%s.path is missing", key)
		case strings.ContainsRune(s.Path, 0):
			l.fault(where, "", "%s.path contains a zero byte", key)
		}
		if other, clash := seen[strings.ToLower(s.Name)]; clash {
			l.fault(where, "give one of them another name: --"+string(s.Kind)+" NAME=PATH",
				"two sources are called %q: %s and %s", s.Name, other.Location(), s.Location())
		}
		seen[strings.ToLower(s.Name)] = s
		if s.Kind != holdfast.KindChroma && (s.RAGMode != "" || s.Memory != nil) {
			l.fault(where, "remove memory and rag_mode", "%s: only a Chroma source has a memory", key)
		}
		if s.Mirror != "" {
			checkMirror(l, s)
		}
		if s.Kind != holdfast.KindFiles && s.Exclude != nil {
			l.fault(where, "remove exclude", "%s: only a source of files can leave some out", key)
		}
		if s.Kind == holdfast.KindChroma && s.RAGMode == "" {
			sources[i].RAGMode = RAGStandard
			if len(s.Memory) > 0 {
				sources[i].RAGMode = RAGEnhanced
			}
		}
	}
	return sources
}

// checkMirror judges the mirror of a source.
func checkMirror(l *layer, s Source) {
	where, key := s.Origin.String(), join(join(sourcesKey, s.Name), keyMirror)
	switch {
	case s.Kind != holdfast.KindSQLite:
		l.fault(where, "remove mirror", "%s: only a SQLite source has a mirror", key)
	case strings.ContainsRune(s.Mirror, 0):
		l.fault(where, "", "%s contains a zero byte", key)
	case filepath.Clean(s.Mirror) == filepath.Clean(s.Path):
		l.fault(where, "name another file, such as "+s.Path+".backup", "%s is the database itself", key)
	}
}
