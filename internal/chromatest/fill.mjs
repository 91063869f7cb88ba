// Makes what standard input describes, with the real JavaScript client.
// Arguments: the client's module, host and port of the server.
import { pathToFileURL } from "node:url";

const [module, host, port] = process.argv.slice(1);
const { AdminClient, ChromaClient } = await import(pathToFileURL(module).href);
const at = { host, port: Number(port), ssl: false };

let text = "";
for await (const part of process.stdin) text += part;
const wanted = JSON.parse(text);

const admin = new AdminClient(at);
for (const name of wanted.tenants) await admin.createTenant({ name });
for (const { tenant, name } of wanted.databases) await admin.createDatabase({ name, tenant });
for (const c of wanted.collections) {
  const client = new ChromaClient({ ...at, tenant: c.tenant, database: c.database });
  const made = await client.createCollection({
    name: c.name,
    metadata: c.metadata ?? undefined,
    configuration: { hnsw: { space: c.space } },
    embeddingFunction: null,
  });
  for (const kind of ["add", "upsert"]) {
    const some = (c.records ?? []).filter((_, i) => (i % 7 === 3) === (kind === "upsert"));
    // Columns that no record has are left out, as an application would.
    const bare = some.filter((r) => r.document == null && r.uri == null);
    const full = some.filter((r) => r.document != null && r.uri != null);
    const texts = some.filter((r) => r.document != null && r.uri == null);
    for (const list of [full, texts, bare]) {
      if (list.length === 0) continue;
      const request = { ids: list.map((r) => r.id), embeddings: list.map((r) => r.embedding), metadatas: list.map((r) => r.metadata) };
      if (list[0].document != null) request.documents = list.map((r) => r.document);
      if (list[0].uri != null) request.uris = list.map((r) => r.uri);
      await made[kind](request);
    }
  }
}
