package disk_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// api speaks with a real server in its own words, so that types and texts can
// be compared exactly.
type api struct {
	t      testing.TB
	client *chromatest.Client
}

func apiOf(t testing.TB, s *chromatest.Server) api {
	client := s.Client()
	t.Cleanup(client.Close)
	return api{t, client}
}

// call sends a request and fails the test if the server refuses it.
func (a api) call(method, path string, body, out any) {
	a.t.Helper()
	if err := a.try(method, path, body, out); err != nil {
		a.t.Fatal(err)
	}
}

func (a api) try(method, path string, body, out any) error {
	var answer json.RawMessage
	if err := a.client.Call(a.t.Context(), method, path, body, &answer); err != nil || out == nil {
		return err
	}
	return json.Unmarshal(answer, out)
}

// described is a collection as the server describes it.
type described struct {
	ID        string          `json:"id"`
	Dimension *int            `json:"dimension"`
	Metadata  holdfast.Values `json:"metadata"`
	Config    struct {
		HNSW map[string]any `json:"hnsw"`
	} `json:"configuration_json"`
}

// content is what get answers, and what add and its relatives take.
type content struct {
	IDs        []string          `json:"ids"`
	Documents  []*string         `json:"documents,omitempty"`
	URIs       []*string         `json:"uris,omitempty"`
	Metadatas  []holdfast.Values `json:"metadatas,omitempty"`
	Embeddings [][]float32       `json:"embeddings,omitempty"`
}

func (a api) create(name, space string, threshold int, metadata holdfast.Values) string {
	a.t.Helper()
	body := map[string]any{"name": name, "configuration": map[string]any{"hnsw": map[string]any{"space": space, "sync_threshold": threshold}}}
	if metadata != nil {
		body["metadata"] = metadata
	}
	var c described
	a.call(http.MethodPost, "/collections", body, &c)
	return c.ID
}

func (a api) describe(name string) described {
	a.t.Helper()
	var c described
	a.call(http.MethodGet, "/collections/"+name, nil, &c)
	return c
}

func (a api) send(id, verb string, c content) {
	a.t.Helper()
	a.call(http.MethodPost, "/collections/"+id+"/"+verb, c, nil)
}

func (a api) get(id string) content {
	a.t.Helper()
	var c content
	a.call(http.MethodPost, "/collections/"+id+"/get", map[string]any{"include": []string{"documents", "uris", "metadatas", "embeddings"}}, &c)
	return c
}

func (a api) query(id string, embedding []float32, n int) []string {
	a.t.Helper()
	var answer struct {
		IDs [][]string `json:"ids"`
	}
	a.call(http.MethodPost, "/collections/"+id+"/query", map[string]any{
		"query_embeddings": [][]float32{embedding}, "n_results": n, "include": []string{"distances"},
	}, &answer)
	return answer.IDs[0]
}

func (a api) count(id string) int {
	a.t.Helper()
	var n int
	a.call(http.MethodGet, "/collections/"+id+"/count", nil, &n)
	return n
}

const dimension = 24

// vector is the embedding that belongs to a number.
func vector(n int) []float32 {
	r := rand.New(rand.NewPCG(uint64(n), 7))
	v := make([]float32, dimension)
	for i := range v {
		v[i] = float32(r.NormFloat64() * 3)
	}
	return v
}

var texts = []string{
	"หน่วยความจำของผู้ช่วย", "حافظهٔ دستیار «پارسی»", "plain <b>text</b> & \"quotes\"", "line\nbreak\tand emoji 🗄️", "",
}

// records makes n records from a number on, of every shape the API takes.
func records(from, n int, arrays bool) content {
	var c content
	for i := from; i < from+n; i++ {
		c.IDs = append(c.IDs, fmt.Sprintf("บันทึก-%d", i))
		var document, uri *string
		if i%4 != 1 {
			document = new(fmt.Sprintf("%s #%d", texts[i%len(texts)], i))
		}
		if i%5 == 2 {
			uri = new(fmt.Sprintf("file:///t/%d", i))
		}
		var m holdfast.Values
		if i%7 != 3 {
			m = holdfast.Values{"n": int64(i), "ratio": float64(i), "half": float64(i) + 0.5, "even": i%2 == 0, "زبان": texts[i%2]}
			if i%3 == 0 {
				m["only third"] = int64(math.MaxInt64) - int64(i)
			}
			if arrays && i%2 == 0 {
				m["tags"] = []any{"ก", "ب", fmt.Sprint(i)}
				m["scores"] = []any{1.0, 2.5, float64(i)}
				m["counts"] = []any{int64(i), int64(2)}
				m["flags"] = []any{true, false}
			}
		}
		c.Documents, c.URIs, c.Metadatas = append(c.Documents, document), append(c.URIs, uri), append(c.Metadatas, m)
		c.Embeddings = append(c.Embeddings, vector(i))
	}
	return c
}

// populate makes collections of every kind on a server: settled in the index,
// only in the log, both; cosine, l2, ip; with updates, deletions and ids that
// come again.
func populate(t testing.TB, a api, v chromatest.Version) []string {
	t.Helper()
	arrays := v == chromatest.New
	names := []string{"cosine", "l2-settled", "ip-settled", "queued", "empty"}
	for _, name := range names {
		space, threshold := strings.TrimSuffix(name, "-settled"), 20
		switch name {
		case "queued", "empty":
			space, threshold = "cosine", 1000
		}
		id := a.create(name, space, threshold, holdfast.Values{"owner": "ผู้ใช้", "level": int64(3), "weight": 2.0, "live": true})
		if name == "empty" {
			continue
		}
		a.send(id, "add", records(0, 47, arrays))
		a.call(http.MethodPost, "/collections/"+id+"/delete", map[string]any{"ids": records(5, 6, false).IDs}, nil)
		changed := records(20, 5, arrays)
		changed.Embeddings = records(920, 5, false).Embeddings
		a.send(id, "update", changed)
		a.send(id, "add", records(7, 3, arrays)) // come again, at the end
		a.send(id, "upsert", content{
			IDs: []string{"บันทึก-30", "fresh"}, Embeddings: [][]float32{vector(930), vector(931)},
			Documents: []*string{nil, new("fresh")}, Metadatas: []holdfast.Values{{"n": nil, "added": 1.0}, nil},
		})
		for i := range 9 { // small steps across persists
			a.send(id, "add", records(100+i, 1, arrays))
		}
	}
	return names
}

// made are the directories that populate has filled, one for each server, and
// what was served from them. Tests get copies.
var made = map[chromatest.Version]struct {
	dir  string
	want map[string]content
}{}

// served gives a stopped directory that a server has filled, and what the
// server answered last.
func served(t testing.TB, v chromatest.Version) (dir string, want map[string]content) {
	t.Helper()
	m, ok := made[v]
	if !ok {
		var err error
		if m.dir, err = os.MkdirTemp("", "holdfast-disk-test-"); err != nil {
			t.Fatal(err)
		}
		s := chromatest.Start(t, v, m.dir)
		a := apiOf(t, s)
		m.want = map[string]content{}
		for _, name := range populate(t, a, v) {
			m.want[name] = a.get(a.describe(name).ID)
		}
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		made[v] = m
	}
	return copyDir(t, m.dir), m.want
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, d := range made {
		if err := os.RemoveAll(d.dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func open(t testing.TB, dir string) *disk.Dir {
	t.Helper()
	d, err := disk.Open(t.Context(), os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// read collects a collection as Records gives it.
func read(t testing.TB, d *disk.Dir, name string) content {
	t.Helper()
	c, err := d.Collection(name)
	if err != nil {
		t.Fatal(err)
	}
	var got content
	for r, err := range d.Records(t.Context(), c, disk.Everything) {
		if err != nil {
			t.Fatal(err)
		}
		got.IDs = append(got.IDs, r.ID)
		got.Documents, got.URIs = append(got.Documents, r.Document), append(got.URIs, r.URI)
		got.Metadatas, got.Embeddings = append(got.Metadatas, r.Metadata), append(got.Embeddings, r.Embedding)
	}
	return got
}

// same compares two contents: everything exactly, embeddings to 1e-5.
func same(t testing.TB, what string, got, want content) {
	t.Helper()
	if !reflect.DeepEqual(got.IDs, want.IDs) && len(got.IDs)+len(want.IDs) > 0 {
		t.Fatalf("%s: ids\n got %q\nwant %q", what, got.IDs, want.IDs)
	}
	for i, id := range want.IDs {
		if !reflect.DeepEqual(got.Documents[i], want.Documents[i]) {
			t.Errorf("%s: document of %s: got %s, want %s", what, id, text(got.Documents[i]), text(want.Documents[i]))
		}
		if !reflect.DeepEqual(uri(got, i), uri(want, i)) {
			t.Errorf("%s: uri of %s: got %s, want %s", what, id, text(uri(got, i)), text(uri(want, i)))
		}
		// The server says {} for a record that has only a URI, null for one
		// that has nothing: both mean no metadata.
		if !reflect.DeepEqual(got.Metadatas[i], want.Metadatas[i]) && len(got.Metadatas[i])+len(want.Metadatas[i]) > 0 {
			t.Errorf("%s: metadata of %s: got %#v, want %#v", what, id, got.Metadatas[i], want.Metadatas[i])
		}
		if err := near(got.Embeddings[i], want.Embeddings[i]); err != nil {
			t.Errorf("%s: embedding of %s: %v", what, id, err)
		}
	}
}

func uri(c content, i int) *string {
	if c.URIs == nil {
		return nil
	}
	return c.URIs[i]
}

func text(s *string) string {
	if s == nil {
		return "none"
	}
	return fmt.Sprintf("%q", *s)
}

func near(got, want []float32) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d dimensions, want %d", len(got), len(want))
	}
	for i := range got {
		if d := math.Abs(float64(got[i]) - float64(want[i])); d > 1e-5*max(1, math.Abs(float64(want[i]))) {
			return fmt.Errorf("[%d] is %v, want %v", i, got[i], want[i])
		}
	}
	return nil
}

// eachServer runs a test against both servers.
func eachServer(t *testing.T, test func(t *testing.T, v chromatest.Version)) {
	for _, v := range chromatest.Versions() {
		t.Run(string(v), func(t *testing.T) { test(t, v) })
	}
}
