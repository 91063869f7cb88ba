package transfer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// A configuration is what a collection's index is made with, in the words in which
// servers of today take it.
type configuration struct {
	HNSW     map[string]any  `json:"hnsw,omitempty"`
	SPANN    map[string]any  `json:"spann,omitempty"`
	Function json.RawMessage `json:"embedding_function,omitempty"`
}

// hnswKeys are the settings that a server takes; it refuses a request with any other.
var hnswKeys = []string{"space", "ef_construction", "ef_search", "max_neighbors", "num_threads", "resize_factor", "sync_threshold", "batch_size"}

// pythonKeys are the settings in the metadata of collections of 0.4 to 0.6.
var pythonKeys = map[string]string{
	"hnsw:space": "space", "hnsw:construction_ef": "ef_construction", "hnsw:search_ef": "ef_search", "hnsw:M": "max_neighbors",
	"hnsw:num_threads": "num_threads", "hnsw:resize_factor": "resize_factor", "hnsw:sync_threshold": "sync_threshold", "hnsw:batch_size": "batch_size",
}

// spec says how the collection of a copy is made on a server, and what of its
// description is lost there.
func spec(from disk.Collection, p place, server api.Server) (api.Spec, []holdfast.Problem) {
	metadata, losses := collectionMetadata(from.Metadata, p, server)
	conf, unread := configurationOf(from)
	if unread != nil {
		losses = append(losses, lossOf(p, fmt.Sprintf("its configuration cannot be read (%v): the server's own takes its place, with the space %s", unread, conf.HNSW["space"])))
	}
	spec := api.Spec{Name: p.Name, Metadata: metadata}
	if server.API == api.V1 {
		spec.Metadata = withPythonKeys(metadata, conf)
		return spec, losses
	}
	switch own, sparse := ownSchema(from.SchemaJSON); {
	case sparse:
		losses = append(losses, lossOf(p, "its index of sparse vectors, which only distributed servers have"))
	case own && server.Arrays: // which came after schemas
		spec.Schema = json.RawMessage(from.SchemaJSON)
		return spec, losses
	case own:
		losses = append(losses, lossOf(p, "its schema says which metadata are indexed, which this server cannot keep"))
	}
	text, err := json.Marshal(conf)
	if err != nil { // what was read from JSON can be written
		losses = append(losses, lossOf(p, fmt.Sprintf("its configuration cannot be sent: %v", err)))
		return spec, losses
	}
	spec.Configuration = text
	return spec, losses
}

// collectionMetadata leaves out what requests cannot carry. Arrays here, unlike
// those of records, end the new server's connection.
func collectionMetadata(from holdfast.Values, p place, server api.Server) (holdfast.Values, []holdfast.Problem) {
	var out holdfast.Values
	var losses []holdfast.Problem
	f := fitter{}
	for _, key := range slices.Sorted(maps.Keys(from)) {
		if l := f.unkept(key, from[key]); l != "" {
			losses = append(losses, lossOf(p, fmt.Sprintf("%q of the collection's own metadata is a value that no server takes", key)))
			continue
		}
		if from[key] == nil {
			continue
		}
		if out == nil {
			out = holdfast.Values{}
		}
		v, exact := nearest(from[key], server.KeptOfCollection)
		if !exact {
			losses = append(losses, lossOf(p, fmt.Sprintf("%q of the collection's own metadata is a number that this server rounds in the last of 17 digits", key)))
		}
		out[key] = v
	}
	return out, losses
}

// withPythonKeys puts the settings where servers before 1.0 look for them.
func withPythonKeys(metadata holdfast.Values, conf configuration) holdfast.Values {
	out := maps.Clone(metadata)
	if out == nil {
		out = holdfast.Values{}
	}
	for key, name := range pythonKeys {
		v, ok := conf.HNSW[name]
		if _, there := out[key]; there || !ok {
			continue
		}
		if n, isNumber := v.(json.Number); isNumber {
			i, err := n.Int64()
			f, _ := n.Float64() // a number of JSON is one
			if v = any(i); err != nil {
				v = f
			}
		}
		out[key] = v
	}
	return out
}

// configurationOf finds the configuration where the release that wrote the collection
// keeps it. The space is always known; the error says that the rest cannot be read.
func configurationOf(c disk.Collection) (configuration, error) {
	out := configuration{HNSW: map[string]any{}}
	for key, name := range pythonKeys {
		if v, ok := c.Metadata[key]; ok {
			out.HNSW[name] = v
		}
	}
	type index struct {
		HNSW  map[string]any `json:"hnsw"`
		SPANN map[string]any `json:"spann"`
	}
	var config struct {
		index                          // as the API gives it
		VectorIndex   index            `json:"vector_index"`       // of directories since 1.0
		Configuration map[string]any   `json:"hnsw_configuration"` // of 0.5 and 0.6
		Function      *json.RawMessage `json:"embedding_function"`
	}
	var schema struct {
		Keys map[string]struct {
			FloatList struct {
				VectorIndex struct {
					Config struct {
						index
						Function *json.RawMessage `json:"embedding_function"`
					} `json:"config"`
				} `json:"vector_index"`
			} `json:"float_list"`
		} `json:"keys"`
	}
	err := decode(c.ConfigJSON, &config)
	if e := decode(c.SchemaJSON, &schema); e != nil {
		err = e
	}
	vectors := schema.Keys["#embedding"].FloatList.VectorIndex.Config
	for _, from := range []map[string]any{config.Configuration, config.VectorIndex.HNSW, vectors.HNSW, config.HNSW} {
		for key, v := range from {
			if key == "M" {
				key = "max_neighbors"
			}
			if slices.Contains(hnswKeys, key) && v != nil {
				out.HNSW[key] = v
			}
		}
	}
	// What was made for a distributed server becomes what a server has that is not.
	for _, from := range []map[string]any{config.VectorIndex.SPANN, vectors.SPANN, config.SPANN} {
		for _, key := range []string{"ef_construction", "ef_search", "max_neighbors"} {
			if v, there := from[key]; there && v != nil && out.HNSW[key] == nil {
				out.HNSW[key] = v
			}
		}
	}
	for _, f := range []*json.RawMessage{config.Function, vectors.Function} {
		if f != nil && knownFunction(*f) {
			out.Function = *f
		}
	}
	if c.Space != "" {
		out.HNSW["space"] = c.Space
	}
	return out, err
}

// knownFunction tells whether a description of an embedding function says anything: a
// client that finds none asks for the name itself.
func knownFunction(text json.RawMessage) bool {
	var f struct {
		Type string `json:"type"`
		Name string `json:"name"`
	}
	return json.Unmarshal(text, &f) == nil && f.Type == "known" && f.Name != ""
}

// indexes are which kinds of metadata are indexed how.
type indexes map[string]map[string]struct {
	Enabled bool `json:"enabled"`
}

// ownSchema tells whether a schema says more than the vector index: that some metadata
// are indexed otherwise than all others of their kind, and whether sparse vectors are.
// Keys that a server noted by itself say only what is so anyway.
func ownSchema(text string) (own, sparse bool) {
	var schema struct {
		Defaults indexes            `json:"defaults"`
		Keys     map[string]indexes `json:"keys"`
	}
	if decode(text, &schema) != nil {
		return false, false // that it cannot be read is told
	}
	for key, kinds := range schema.Keys {
		if strings.HasPrefix(key, "#") {
			continue
		}
		for kind, all := range kinds {
			for name, index := range all {
				own = own || index.Enabled != schema.Defaults[kind][name].Enabled
				sparse = sparse || index.Enabled && kind == "sparse_vector"
			}
		}
	}
	return own, sparse
}

// decode reads JSON with its numbers as they are written; no text says nothing.
func decode(text string, into any) error {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	return d.Decode(into)
}
