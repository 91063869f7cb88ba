package chromaproxy

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/internal/testserver"
)

// application is a program for Chroma's own client, which knows nothing of us: it
// uploads, searches, changes and deletes.
const application = `
const { ChromaClient } = await import(process.argv[2]);
const client = new ChromaClient({ host: process.argv[3], port: Number(process.argv[4]), ssl: false });
const expect = (got, want, what) => {
  if (JSON.stringify(got) !== JSON.stringify(want)) throw new Error(what + ": " + JSON.stringify(got) + ", want " + JSON.stringify(want));
};
await client.heartbeat();
expect((await client.listCollections()).length, 0, "collections at first");
const papers = await client.createCollection({ name: "papers", embeddingFunction: null, metadata: { lang: "th" } });
const ids = Array.from({ length: 300 }, (_, i) => "p" + i);
await papers.add({ ids, embeddings: ids.map((_, i) => [i, 1, 0]), documents: ids.map((id) => "เอกสาร " + id), metadatas: ids.map((_, i) => ({ page: i })) });
await papers.upsert({ ids: ["p0", "new"], embeddings: [[0, 2, 0], [9999, 0, 0]], documents: ["changed", "new"] });
await papers.update({ ids: ["p1"], metadatas: [{ page: 1000 }] });
expect(await papers.count(), 301, "records");
const found = await papers.query({ queryEmbeddings: [[9999, 0, 0]], nResults: 1 });
expect(found.ids, [["new"]], "nearest");
const page = await papers.get({ where: { page: 1000 } });
expect([page.ids, page.documents], [["p1"], ["เอกสาร p1"]], "where");
await papers.delete({ ids: ["new"] });
await papers.modify({ name: "articles" });
expect((await client.listCollections()).map((c) => c.name), ["articles"], "collections");
await client.deleteCollection({ name: "articles" });
expect((await client.listCollections()).length, 0, "collections at last");
let refused = "";
try { await client.deleteCollection({ name: "articles" }); } catch (e) { refused = e.name; }
if (refused === "") throw new Error("a collection that is not there was deleted");
`

// TestProxy_TheClientOfChromaWorksUnchanged runs Chroma's own client through the
// proxy, in front of both servers.
func TestProxy_TheClientOfChromaWorksUnchanged(t *testing.T) {
	servers, err := testserver.Dir()
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range chromatest.Versions() {
		t.Run(string(version), func(t *testing.T) {
			t.Parallel()
			server := chromatest.Start(t, version, t.TempDir())
			s := newStage(t, server.URL())
			front, err := url.Parse(s.front.URL)
			if err != nil {
				t.Fatal(err)
			}
			program := filepath.Join(t.TempDir(), "application.mjs")
			if err := os.WriteFile(program, []byte(application), 0o600); err != nil {
				t.Fatal(err)
			}
			client := filepath.Join(servers, string(version), "node_modules", "chromadb", "dist", "chromadb.mjs")
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			out, err := exec.CommandContext(ctx, "node", program, client, front.Hostname(), front.Port()).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s\nlog of the proxy: %s", err, out, s.log)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			want := []string{reason(Write), reason(Deletion), reason(Deletion)}
			if len(s.backups) != len(want) {
				t.Fatalf("backups %q, want %q", s.backups, want)
			}
			for i := range want {
				if s.backups[i] != want[i] {
					t.Errorf("backup %d was made %q, want %q", i, s.backups[i], want[i])
				}
			}
		})
	}
}
