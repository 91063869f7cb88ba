// An application that uses Chroma's own client and knows nothing of holdfast.
//
//   node application.mjs CLIENT HOST PORT VERB
const [client, host, port, verb] = process.argv.slice(2);
const { ChromaClient, AdminClient } = await import(client);
const at = { host, port: Number(port), ssl: false };
const chroma = new ChromaClient(at);
const expect = (what, got, want) => {
  if (JSON.stringify(got) !== JSON.stringify(want)) throw new Error(`${what}: ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
};
const open = (name) => chroma.getOrCreateCollection({ name, embeddingFunction: null });
const record = (i) => ({ id: `หน้า-${i}`, embedding: [i % 17, i % 5, 1], document: `เอกสาร หน้า ${i}`, metadata: { หน้า: i, สำคัญ: i % 2 === 0 } });
const page = (records) => ({
  ids: records.map((r) => r.id), embeddings: records.map((r) => r.embedding),
  documents: records.map((r) => r.document), metadatas: records.map((r) => r.metadata),
});
const records = (first, n) => page(Array.from({ length: n }, (_, i) => record(first + i)));

const verbs = {
  // A first upload, with everything that a client can do to records.
  async upload() {
    const papers = await open("papers");
    for (let first = 0; first < 300; first += 100) await papers.add(records(first, 100));
    await papers.upsert({ ...records(300, 1), ids: ["หน้า-0"] });
    await papers.update({ ids: ["หน้า-1"], metadatas: [{ หน้า: 1000 }] });
    await papers.delete({ ids: ["หน้า-299"] });
    expect("records", await papers.count(), 299);
    const found = await papers.query({ queryEmbeddings: [[300 % 17, 300 % 5, 1]], nResults: 299 });
    expect("found", found.ids[0].length, 299);
  },
  // Many uploads at once, as a web server has them.
  async burst() {
    const papers = await open("papers");
    await Promise.all(Array.from({ length: 12 }, (_, i) => papers.add(records(1000 + 10 * i, 10))));
    expect("records", await papers.count(), 419);
  },
  // What is regretted.
  async clear() {
    await chroma.deleteCollection({ name: "papers" });
    const left = (await chroma.listCollections()).map((c) => c.name);
    expect("the collection is there", left.includes("papers"), false);
  },
  async drop() {
    const admin = new AdminClient(at);
    await admin.createDatabase({ name: "second", tenant: "default_tenant" });
    await admin.deleteDatabase({ name: "second", tenant: "default_tenant" });
  },
};
try {
  await verbs[verb]();
} catch (e) {
  console.error(`${e.name}: ${e.message}`);
  process.exitCode = 1;
}
