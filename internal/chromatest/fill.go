package chromatest

import (
	"bytes"
	_ "embed" // the script
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/testserver"
)

//go:embed fill.mjs
var fillScript string

// Filled is what Fill wrote, as it must be found again.
type Filled struct {
	Tenants     []string           `json:"tenants"`   // that were made
	Databases   []FilledDatabase   `json:"databases"` // that were made, one of them empty
	Collections []FilledCollection `json:"collections"`
}

// A FilledDatabase is a database of a tenant.
type FilledDatabase struct {
	Tenant string `json:"tenant"`
	Name   string `json:"name"`
}

// A FilledCollection is a collection and its records. Their order in the server is
// another: the client wrote them in several requests.
type FilledCollection struct {
	Tenant   string          `json:"tenant"`
	Database string          `json:"database"`
	Name     string          `json:"name"`
	Space    string          `json:"space"`
	Metadata holdfast.Values `json:"metadata"`
	Records  []FilledRecord  `json:"records"`
}

// A FilledRecord is a record with all that it has.
type FilledRecord struct {
	ID        string          `json:"id"`
	Document  *string         `json:"document"`
	URI       *string         `json:"uri"`
	Metadata  holdfast.Values `json:"metadata"`
	Embedding []float32       `json:"embedding"`
}

// Fill lets the real JavaScript client of a server's own version write to it: two
// tenants, several databases, collections of each space and an empty one, documents
// that are long, in several scripts, empty and absent, URIs, and metadata of all types
// that the server has. The same seed writes the same.
func Fill(t testing.TB, s *Server, seed uint64) Filled {
	t.Helper()
	wanted := imagine(s.version, seed)
	in, err := json.Marshal(wanted)
	if err != nil {
		t.Fatal(err)
	}
	cache, err := testserver.Dir()
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	module := filepath.Join(cache, string(s.version), "node_modules", "chromadb", "dist", "chromadb.mjs")
	cmd := exec.CommandContext(t.Context(), "node", "--input-type=module", "--eval", fillScript, module, at.Hostname(), at.Port())
	cmd.Stdin = bytes.NewReader(in)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the JavaScript client: %v: %s", err, out)
	}
	return wanted
}

// imagine makes up what is to be written.
func imagine(v Version, seed uint64) Filled {
	rng := rand.New(rand.NewPCG(seed, 11))
	tenant := fmt.Sprintf("tenant-%d", seed)
	f := Filled{
		Tenants: []string{tenant},
		Databases: []FilledDatabase{
			{"default_tenant", fmt.Sprintf("second-%d", seed)}, {tenant, "default_database"}, {tenant, "library"}, {tenant, "empty"},
		},
	}
	homes := append([]FilledDatabase{{"default_tenant", "default_database"}}, f.Databases[:3]...)
	for i, space := range []string{"l2", "cosine", "ip", "l2"} {
		c := FilledCollection{
			Tenant: homes[i].Tenant, Database: homes[i].Name, Name: fmt.Sprintf("js-%s-%d.%d", space, seed, i), Space: space,
			Metadata: holdfast.Values{"made by": "JavaScript", "whole": int64(i), "half": float64(i) + 0.5, "yes": i%2 == 0},
		}
		dimension := 3 + 5*i
		for k := range 40 * (3 - i) { // the last one stays empty
			c.Records = append(c.Records, imagineRecord(rng, v, k, dimension))
		}
		f.Collections = append(f.Collections, c)
	}
	return f
}

// texts are documents and strings that are easily spoilt.
var texts = []string{
	"plain", "", " ", "สวัสดีชาวโลก กขค", "سلام دنیا", "emoji 👩‍👩‍👧 and \u202e turned", "line\nbreak\ttab \"quoted\" \\ back", "2", "2.0", "true", "null",
	strings.Repeat("a long text, ", 3000),
}

func imagineRecord(rng *rand.Rand, v Version, k, dimension int) FilledRecord {
	r := FilledRecord{
		ID:        fmt.Sprintf("%s#%d", []string{"id", "ไอดี", "a/b?c=d&e", "with space", "\"'<>"}[k%5], k),
		Embedding: make([]float32, dimension),
		Metadata: holdfast.Values{
			"text": texts[k%len(texts)], "whole": int64(rng.IntN(1 << 30)), "below": -int64(rng.Int64N(1 << 52)),
			"half": float64(rng.IntN(1000)) + 0.5, "yes": k%2 == 0, "clé ключ": "ค่า",
		},
	}
	for i := range r.Embedding {
		r.Embedding[i] = rng.Float32()*2 - 1
	}
	if v == New && k%3 == 0 {
		r.Metadata["words"] = []any{"b", "a", "ก"}
		r.Metadata["numbers"] = []any{int64(3), int64(1), int64(2)}
		r.Metadata["halves"] = []any{0.5, 1.5}
		r.Metadata["flags"] = []any{true, false}
	}
	if k%4 != 3 {
		r.Document = new(texts[rng.IntN(len(texts))])
		if k%4 == 1 {
			r.URI = new(fmt.Sprintf("file:///a b/%d?ก=%%20", k))
		}
	}
	return r
}
