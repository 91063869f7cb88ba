//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
)

// A recordServer answers as a Chroma server does whose collections hold records that are
// made when they are asked for: it costs no memory, and hardly any time that a real one
// would not need. A visit to /change changes one record in a thousand.
type recordServer struct {
	records, dimension, collections int
	round                           atomic.Int64
}

// serveRecords is a child that serves so many records in each of so many collections.
func serveRecords(records, dimension, collections int) error {
	return answer((&recordServer{records: records, dimension: dimension, collections: collections}).handler())
}

func (s *recordServer) handler() http.Handler {
	const database = "/api/v2/tenants/default_tenant/databases"
	mux := http.NewServeMux()
	mux.HandleFunc("POST /change", func(http.ResponseWriter, *http.Request) { s.round.Add(1) })
	say := func(pattern, text string) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, text)
		})
	}
	say("GET /api/v2/heartbeat", `{"nanosecond heartbeat":1}`)
	say("GET /api/v2/version", `"1.0.0"`)
	say("GET /api/v2/pre-flight-checks", `{"max_batch_size":5461}`)
	say("GET "+database, `[{"id":"00000000-0000-0000-0000-000000000000","name":"default_database","tenant":"default_tenant"}]`)
	say("GET "+database+"/default_database", `{"id":"00000000-0000-0000-0000-000000000000","name":"default_database","tenant":"default_tenant"}`)
	mux.HandleFunc("GET "+database+"/default_database/collections", s.list)
	mux.HandleFunc("GET "+database+"/default_database/collections/{id}/count", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, s.records)
	})
	mux.HandleFunc("POST "+database+"/default_database/collections/{id}/get", s.get)
	return mux
}

// list is a page of the collections.
func (s *recordServer) list(w http.ResponseWriter, r *http.Request) {
	limit, _ := strconv.Atoi(r.FormValue("limit"))
	offset, _ := strconv.Atoi(r.FormValue("offset"))
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, "[")
	for i := offset; i < min(offset+limit, s.collections); i++ {
		if i > offset {
			fmt.Fprint(w, ",")
		}
		fmt.Fprintf(w, `{"id":"11111111-1111-4111-8111-%012d","name":"collection-%05d","tenant":"default_tenant","database":"default_database","metadata":null,"dimension":%d,"configuration_json":{"hnsw":{"space":"l2"}}}`, i, i, s.dimension)
	}
	fmt.Fprint(w, "]")
}

// get answers with ids, or with whole records.
func (s *recordServer) get(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		IDs           []string
		Limit, Offset int
		Include       []string
	}
	if err := json.NewDecoder(r.Body).Decode(&ask); err != nil {
		http.Error(w, "{}", http.StatusBadRequest)
		return
	}
	var numbers []int
	if ask.IDs == nil {
		for i := ask.Offset; i < min(ask.Offset+ask.Limit, s.records); i++ {
			numbers = append(numbers, i)
		}
	}
	for _, id := range ask.IDs {
		if n, err := strconv.Atoi(strings.TrimPrefix(id, "record-")); err == nil && n < s.records {
			numbers = append(numbers, n)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	out := bufio.NewWriterSize(w, 256<<10)
	defer out.Flush()
	column := func(name string, one func(n int)) {
		fmt.Fprintf(out, `"%s":[`, name)
		for i, n := range numbers {
			if i > 0 {
				out.WriteByte(',')
			}
			one(n)
		}
		out.WriteByte(']')
	}
	out.WriteByte('{')
	column("ids", func(n int) { fmt.Fprintf(out, `"record-%d"`, n) })
	if len(ask.Include) > 0 {
		out.WriteByte(',')
		column("documents", func(n int) { s.document(out, n) })
		out.WriteByte(',')
		column("metadatas", func(n int) { fmt.Fprintf(out, `{"page":%d,"source":"upload.pdf"}`, n%997) })
		out.WriteByte(',')
		column("embeddings", func(n int) { s.vector(out, n) })
		out.WriteString(`,"uris":null`)
	}
	out.WriteByte('}')
}

// document is a text in which words come again, and which changes with the round in one
// record of a thousand.
func (s *recordServer) document(out *bufio.Writer, n int) {
	round := int64(0)
	if n%1000 == 500 {
		round = s.round.Load()
	}
	fmt.Fprintf(out, `"Passage %d, round %d: the opening hours are from %d to %d, and deliveries come on day %d of the week by the door at the back of house %d."`, n, round, n%12, n%12+9, n%7, n%431)
}

// vector is an embedding that no two records share.
func (s *recordServer) vector(out *bufio.Writer, n int) {
	h := fnv.New64a()
	fmt.Fprint(h, n)
	state := h.Sum64() | 1
	out.WriteByte('[')
	var space []byte
	for i := range s.dimension {
		if i > 0 {
			out.WriteByte(',')
		}
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		space = strconv.AppendFloat(space[:0], float64(float32(int32(state>>32))/(1<<31)), 'g', -1, 32)
		out.Write(space)
	}
	out.WriteByte(']')
}
