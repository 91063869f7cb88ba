package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/holdfast-backup/holdfast"
)

// maxFile bounds the configuration file: a larger one is something else.
const maxFile = 1 << 20

// layer holds what one layer sets: raw text by key.
type layer struct {
	values  map[string]setting
	sources []Source // nil: not set here
	// replicas likewise
	replicas []Replica
	errs     []error
}

type setting struct {
	raw    string
	origin Origin
	secret bool
	note   string // worth a warning
}

func newLayer() *layer { return &layer{values: map[string]setting{}} }

// fault adds an error at a place of this layer.
func (l *layer) fault(where, hint, format string, args ...any) {
	l.errs = append(l.errs, &holdfast.Error{
		Op: "configuration", Object: where, Hint: hint,
		Err: holdfast.Kindf(holdfast.ErrUsage, format, args...),
	})
}

// findFile gives the configuration file to read: the one that was named,
// which must exist, or one of the usual names, or none.
func findFile(named string) (string, error) {
	if named != "" {
		return named, nil
	}
	for _, name := range []string{FileName, AltFileName} {
		switch _, err := os.Lstat(name); {
		case err == nil:
			return name, nil
		case !errors.Is(err, fs.ErrNotExist):
			return "", &holdfast.Error{Op: "configuration", Object: name, Err: cause(err)}
		}
	}
	return "", nil
}

// byteOrderMark is what some editors begin a file with; it means nothing here.
var byteOrderMark = []byte("\ufeff")

// readFile reads the configuration file as a layer.
func readFile(name string) (*layer, error) {
	info, err := os.Stat(name)
	if err == nil && (info.IsDir() || info.Size() > maxFile) {
		err = errors.New("not a configuration file")
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(name)
		data = bytes.TrimPrefix(data, byteOrderMark)
	}
	if err != nil {
		return nil, &holdfast.Error{
			Op: "configuration", Object: name, Err: holdfast.Kindf(holdfast.ErrUsage, "cannot read it: %v", cause(err)),
			Hint: "name another file with --config, or make one with `holdfast init`",
		}
	}
	l := newLayer()
	l.parse(data, name, FromFile, "")
	for i := range l.sources {
		l.sources[i].Path = fromFile(name, l.sources[i].Path)
		l.sources[i].Mirror = fromFile(name, l.sources[i].Mirror)
		if server := l.sources[i].Server; server != nil {
			server.HeadersFile = fromFile(name, server.HeadersFile)
		}
	}
	for i := range l.replicas {
		r := &l.replicas[i]
		for _, path := range []*string{&r.URL, &r.Encryption.IdentityFile, &r.Encryption.PassphraseFile} {
			*path = fromFile(name, *path)
		}
	}
	for _, k := range Keys() {
		if s, ok := l.values[k.Name]; ok && k.path {
			s.raw = fromFile(name, s.raw)
			l.values[k.Name] = s
		}
	}
	return l, nil
}

// fromFile reads a relative path in the file as meant from the file's folder.
func fromFile(file, path string) string {
	dir := filepath.Dir(file)
	if path == "" || filepath.IsAbs(path) || dir == "." || strings.Contains(path, "://") || strings.HasPrefix(path, "~/") {
		return path
	}
	return filepath.Join(dir, path)
}

// parse walks a YAML document. Every mistake is noted with its place; below
// is the key that the document is the value of.
func (l *layer) parse(data []byte, name string, from Layer, below string) {
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		l.syntax(name, err)
		return
	}
	w := &walker{layer: l, name: name, from: from}
	for i, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if i > 0 {
			l.fault(w.at(doc.Body), "", "only one document is read")
			return
		}
		switch below {
		case sourcesKey:
			w.sources(doc.Body)
		case replicasKey:
			w.replicas(doc.Body)
		default:
			w.mapping(doc.Body, below)
		}
	}
}

// syntax notes a document that does not parse, without quoting it: a broken
// file may hold secrets.
func (l *layer) syntax(name string, err error) {
	where, message := name, "is not valid YAML"
	type positioned interface{ GetMessage() string }
	if p, ok := errors.AsType[interface {
		error
		positioned
	}](err); ok {
		message += ": " + p.GetMessage()
	}
	// The text begins with "[line:column]".
	var line, column int
	if _, scanErr := fmt.Sscanf(err.Error(), "[%d:%d]", &line, &column); scanErr == nil {
		where = fmt.Sprintf("%s:%d:%d", name, line, column)
	}
	l.fault(where, "", "%s", message)
}

// walker reads nodes into a layer.
type walker struct {
	layer *layer
	name  string
	from  Layer
}

// at names the place of a node.
func (w *walker) at(n ast.Node) string {
	if w.from != FromFile {
		return w.name
	}
	p := n.GetToken().Position
	return fmt.Sprintf("%s:%d:%d", w.name, p.Line, p.Column)
}

func (w *walker) origin(n ast.Node) Origin {
	if w.from != FromFile {
		return Origin{Layer: w.from, Where: w.name}
	}
	return Origin{Layer: w.from, Where: fmt.Sprintf("%s:%d", w.name, n.GetToken().Position.Line)}
}

// entries gives the pairs of a mapping, or notes that it is none.
func (w *walker) entries(n ast.Node, what string) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	case *ast.NullNode:
		return nil
	}
	if what == "" {
		what = "the configuration"
	}
	w.layer.fault(w.at(n), "", "%s must be a map of keys and values", what)
	return nil
}

// mapping reads the keys below prefix.
func (w *walker) mapping(n ast.Node, prefix string) {
	for _, e := range w.entries(n, prefix) {
		name := join(prefix, keyText(e.Key))
		switch {
		case name == sourcesKey:
			w.sources(e.Value)
		case name == replicasKey:
			w.replicas(e.Value)
		case isGroup(name):
			w.mapping(e.Value, name)
		case !isKey(name):
			w.unknown(e.Key, name, keyNames(prefix))
		default:
			if raw, ok := w.value(e.Value, name); ok {
				w.layer.values[name] = setting{raw: raw, origin: w.origin(e.Key)}
			}
		}
	}
}

// unknown notes a key that means nothing here.
func (w *walker) unknown(n ast.Node, name string, known []string) {
	if i := slices.IndexFunc(Keys(), func(k Key) bool { return k.Name == name && k.EnvOnly }); i >= 0 {
		by := Keys()[i].Env() + fileSuffix
		if name == keyPassphrase {
			by = keyPassphraseFile
		}
		w.layer.fault(w.at(n), "put it into a file of its own and name that with "+by, "%q is a secret, and does not belong into the configuration", name)
		return
	}
	hint := "known keys: " + strings.Join(known, ", ")
	if near := Nearest(name, known); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	w.layer.fault(w.at(n), hint, "unknown key %q", name)
}

// value gives the text of a value: a single one, or a list where that is
// allowed.
func (w *walker) value(n ast.Node, name string) (string, bool) {
	list, isList := n.(*ast.SequenceNode)
	own := strings.TrimPrefix(name, replicasKey+".")
	if !isList || !slices.ContainsFunc(Keys(), func(k Key) bool { return k.Name == own && k.list }) {
		return w.scalar(n, name)
	}
	var all []string
	for _, item := range list.Values {
		raw, ok := w.scalar(item, name)
		if !ok {
			return "", false
		}
		all = append(all, raw)
	}
	return strings.Join(all, ", "), true
}

// scalar gives the text of a single value.
func (w *walker) scalar(n ast.Node, name string) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	case *ast.NullNode:
		w.layer.fault(w.at(n), "remove the key, or give it a value", "%q has no value", name)
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		w.layer.fault(w.at(n), "write the value out", "%q: anchors, aliases and tags are not read", name)
	default:
		w.layer.fault(w.at(n), "", "%q takes a single value", name)
	}
	return "", false
}

func keyText(k ast.MapKeyNode) string {
	if s, ok := k.(*ast.StringNode); ok {
		return s.Value
	}
	return k.GetToken().Value
}

func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}

func isKey(name string) bool {
	for _, k := range Keys() {
		if k.Name == name && !k.EnvOnly {
			return true
		}
	}
	return false
}

func isGroup(name string) bool {
	for _, k := range Keys() {
		if strings.HasPrefix(k.Name, name+".") {
			return true
		}
	}
	return false
}

// keyNames gives the known names one level below prefix, or all if none.
func keyNames(prefix string) []string {
	seen := map[string]bool{}
	if prefix == "" {
		seen[sourcesKey], seen[replicasKey] = true, true
	}
	for _, k := range Keys() {
		if !k.EnvOnly && (prefix == "" || strings.HasPrefix(k.Name, prefix+".")) {
			seen[k.Name] = true
			group, _, found := strings.Cut(k.Name, ".")
			seen[group] = seen[group] || (found && prefix == "")
		}
	}
	var names []string
	for n, ok := range seen {
		if ok {
			names = append(names, n)
		}
	}
	sort.Strings(names)
	return names
}

// cause is the last part of a path error: the path is named elsewhere.
func cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
