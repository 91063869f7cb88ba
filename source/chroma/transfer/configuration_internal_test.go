package transfer

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// What collections of each generation say of themselves, and what a server is asked
// for in the end.
func TestSpec_CarriesConfigurationsOver(t *testing.T) {
	const defaults = `"defaults":{"string":{"string_inverted_index":{"enabled":true}},"sparse_vector":{"sparse_vector_index":{"enabled":false}}}`
	const vectors = `"#embedding":{"float_list":{"vector_index":{"config":{"space":"ip","hnsw":{"max_neighbors":8,"num_threads":2},"embedding_function":{"type":"known","name":"default","config":{}}}}}}`
	today, old, first := api.Server{API: api.V2, Arrays: true}, api.Server{API: api.V2}, api.Server{API: api.V1}
	for name, c := range map[string]struct {
		from   disk.Collection
		server api.Server
		want   string // of the configuration, or of the metadata in version 1
		losses string
		schema bool
	}{
		"0.4, in the metadata": {
			from:   disk.Collection{Metadata: holdfast.Values{"hnsw:M": int64(24), "hnsw:construction_ef": int64(80), "hnsw:space": "ip", "mine": "x"}},
			server: today, want: `{"hnsw":{"ef_construction":80,"max_neighbors":24,"space":"ip"}}`,
		},
		"0.6": {
			from:   disk.Collection{ConfigJSON: `{"hnsw_configuration":{"space":"ip","M":12,"ef_search":9,"_type":"HNSWConfigurationInternal"},"_type":"x"}`},
			server: old, want: `{"hnsw":{"ef_search":9,"max_neighbors":12,"space":"ip"}}`,
		},
		"1.0": {
			from:   disk.Collection{ConfigJSON: `{"vector_index":{"hnsw":{"space":"ip","resize_factor":1.5}},"embedding_function":null}`},
			server: today, want: `{"hnsw":{"resize_factor":1.5,"space":"ip"}}`,
		},
		"as a server gives it": {
			from:   disk.Collection{ConfigJSON: `{"hnsw":{"space":"ip","ef_search":70},"spann":null,"embedding_function":{"type":"unknown"}}`},
			server: old, want: `{"hnsw":{"ef_search":70,"space":"ip"}}`,
		},
		"today": {
			from:   disk.Collection{ConfigJSON: `{}`, SchemaJSON: `{` + defaults + `,"keys":{` + vectors + `,"tags":{"string":{"string_inverted_index":{"enabled":true}}}}}`},
			server: old, want: `{"hnsw":{"max_neighbors":8,"num_threads":2,"space":"ip"},"embedding_function":{"type":"known","name":"default","config":{}}}`,
		},
		"an index turned off": {
			from:   disk.Collection{SchemaJSON: `{` + defaults + `,"keys":{` + vectors + `,"tags":{"string":{"string_inverted_index":{"enabled":false}}}}}`},
			server: today, schema: true,
		},
		"an index turned off, for the old server": {
			from:   disk.Collection{SchemaJSON: `{` + defaults + `,"keys":{"tags":{"string":{"string_inverted_index":{"enabled":false}}}}}`},
			server: old, want: `{"hnsw":{"space":"ip"}}`, losses: "which metadata are indexed",
		},
		"sparse vectors": {
			from:   disk.Collection{SchemaJSON: `{` + defaults + `,"keys":{"s":{"sparse_vector":{"sparse_vector_index":{"enabled":true}}}}}`},
			server: today, want: `{"hnsw":{"space":"ip"}}`, losses: "sparse",
		},
		"of a distributed server": {
			from:   disk.Collection{ConfigJSON: `{"hnsw":null,"spann":{"space":"ip","search_nprobe":64,"ef_search":90}}`},
			server: today, want: `{"hnsw":{"ef_search":90,"space":"ip"}}`,
		},
		"unreadable": {
			from: disk.Collection{ConfigJSON: `{"hnsw":`}, server: today, want: `{"hnsw":{"space":"ip"}}`, losses: "cannot be read",
		},
		"for a server before 1.0": {
			from:   disk.Collection{ConfigJSON: `{"hnsw":{"ef_search":70,"resize_factor":1.5}}`, Metadata: holdfast.Values{"mine": "x"}},
			server: first, want: `{"hnsw:resize_factor":1.5,"hnsw:search_ef":70,"hnsw:space":"ip","mine":"x"}`,
		},
	} {
		c.from.Space = disk.SpaceIP
		got, losses := spec(c.from, place{Name: "notes"}, c.server)
		said := string(got.Configuration)
		if c.server.API == api.V1 {
			text, err := json.Marshal(got.Metadata)
			if err != nil {
				t.Fatal(err)
			}
			said = string(text)
		} else if len(got.Metadata) != len(c.from.Metadata) {
			t.Errorf("%s: metadata %v of %v", name, slices.Sorted(maps.Keys(got.Metadata)), c.from.Metadata)
		}
		if said != c.want || (got.Schema != nil) != c.schema {
			t.Errorf("%s: %s, schema %s; want %s", name, said, got.Schema, c.want)
		}
		if (c.losses == "") != (losses == nil) || losses != nil && !strings.Contains(losses[0].Message, c.losses) {
			t.Errorf("%s: losses %+v", name, losses)
		}
	}
}

func TestBeside_FitsAndTellsNamesApart(t *testing.T) {
	const stamp = "20261122T230000"
	if got := beside("notes", midOld, stamp, 512); got != "notes-old-"+stamp {
		t.Error(got)
	}
	long := strings.Repeat("n", 600)
	a, b := beside(long+"a", midRestore, stamp, 512), beside(long+"b", midRestore, stamp, 512)
	short := beside("a.collection-name_of-the-first-releases.with-63-characters-at-most", midRestore, stamp, 63)
	for _, name := range []string{a, b, short} {
		if !validName.MatchString(name) || !strings.HasSuffix(name, midRestore+stamp) {
			t.Errorf("%q is no name", name)
		}
	}
	if a == b || len(a) > 512 || len(short) > 63 {
		t.Errorf("%d and %d characters, %v", len(a), len(short), a == b)
	}
}
