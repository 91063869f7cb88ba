package api

import (
	"encoding/json"
	"net/http"
	"path"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// The framework asks these two variables for every error that it finds, and
// whether an array may be null; there is no other way to tell it.
func init() {
	huma.NewError = ofHuma
	huma.DefaultArrayNullable = false
}

// settings begin the document. There are no pages with it: they would be loaded from
// elsewhere.
func settings(version string) huma.Config {
	c := huma.DefaultConfig("holdfast", version)
	c.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	c.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[holdfast.Time](), reflect.TypeFor[time.Time]())
	c.OpenAPIPath, c.DocsPath, c.SchemasPath, c.CreateHooks = "", "", "", nil
	c.Formats = map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat}
	c.RejectUnknownQueryParameters = true
	// Fields are added to what is answered; what is asked is closed in route.go.
	c.AllowAdditionalPropertiesByDefault = true
	c.Info.Description = about
	c.Info.License = &huma.License{Name: "See the LICENSE file of the project"}
	c.Tags = []*huma.Tag{
		{Name: "backups", Description: "Making, listing, reading and removing backups."},
		{Name: "inside", Description: "Looking into backups and comparing them."},
		{Name: "restore", Description: "Bringing backups back."},
		{Name: "proof", Description: "Proving that backups can be brought back."},
		{Name: "repository", Description: "Retention, replicas and space."},
		{Name: "jobs", Description: "Work that goes on without the client."},
		{Name: "state", Description: "How safe the data is, and how the daemon is."},
	}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		bearer: {
			Type: "http", Scheme: "bearer", BearerFormat: "hf_<id>_<secret>",
			Description: "A token of `holdfast token create NAME --scope SCOPE`. Each operation names the scopes of which the token needs one (x-scope). On loopback nothing needs a token until the first one is created.",
		},
	}
	return c
}

const about = "Backups of ChromaDB, SQLite and files: what `holdfast serve` does for programs.\n\n" +
	"The call before an upload is `POST /api/v1/backups` with `{\"trigger\":\"auto\"}`: it answers when the backup is committed.\n\n" +
	"Work that takes long is a job: it has an id, events (SSE) and a result, goes on when the client hangs up, and is found again after a restart of the daemon. " +
	"Every POST that starts a job understands `Idempotency-Key`.\n\n" +
	"A failure is `application/problem+json`; its `code` is the word that the command line has an exit status for.\n\n" +
	"Fields are added, never renamed or given another meaning: readers ignore fields that they do not know. Requests with unknown fields are refused."

// schemaName names the schemas, which are one list for types of several packages.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	prefix := map[string]string{"job": "Job", "access": "Audit", "alarm": "Alarm", "holdfast": "Engine"}[path.Base(t.PkgPath())]
	if prefix == "Engine" && !ambiguous[name] || strings.HasPrefix(name, prefix) {
		return name
	}
	return prefix + name
}

// ambiguous are names of the domain that other packages have, too.
var ambiguous = map[string]bool{"Event": true, "State": true, "Problem": true}

// results are what jobs leave, told apart by their type.
var results = []reflect.Type{
	reflect.TypeFor[report.BackupResult](), reflect.TypeFor[report.Verify](), reflect.TypeFor[report.Drill](), reflect.TypeFor[report.Restore](),
	reflect.TypeFor[report.Recover](), reflect.TypeFor[report.Prune](), reflect.TypeFor[report.Compact](), reflect.TypeFor[report.Replicate](),
	reflect.TypeFor[report.Delete](),
}

// describeResults says in the document what the result of a job can be: its record
// keeps the bytes alone.
func (s *server) describeResults() {
	result := s.huma.OpenAPI().Components.Schemas.Map()["Job"].Properties["result"]
	for _, t := range results {
		result.AnyOf = append(result.AnyOf, s.schema(t))
	}
}

// addDocument serves the document as it is now, when all operations are in it.
func (s *server) addDocument(mux *http.ServeMux) {
	s.describeResults()
	doc := s.huma.OpenAPI()
	asJSON, err := json.Marshal(doc)
	asYAML, yamlErr := doc.YAML()
	if err != nil || yamlErr != nil {
		// The document is made of our own types alone.
		s.log.Error("the OpenAPI document cannot be written", "error", err, "yaml", yamlErr)
	}
	serve := func(kind string, body []byte) http.HandlerFunc {
		tag := tagOf(string(body))
		return func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("Content-Type", kind)
			h.Set("Cache-Control", "no-cache")
			h.Set("ETag", tag)
			if matches(r.Header.Get("If-None-Match"), tag) {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			_, _ = w.Write(body) // whoever does not read it is gone
		}
	}
	mux.HandleFunc("GET "+Root+"/openapi.json", serve("application/openapi+json", asJSON))
	mux.HandleFunc("GET "+Root+"/openapi.yaml", serve("application/openapi+yaml", asYAML))
}
