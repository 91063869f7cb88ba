-- A directory with configurations of collections, its log not purged yet (schema 1/3/7), made by hand.
CREATE TABLE migrations (dir TEXT NOT NULL, version INTEGER NOT NULL, filename TEXT NOT NULL, sql TEXT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (dir, version));
INSERT INTO migrations VALUES ('embeddings_queue', 1, '', '', ''), ('metadb', 1, '', '', ''), ('metadb', 2, '', '', ''), ('metadb', 3, '', '', ''), ('sysdb', 1, '', '', ''), ('sysdb', 2, '', '', ''), ('sysdb', 3, '', '', ''), ('sysdb', 4, '', '', ''), ('sysdb', 5, '', '', ''), ('sysdb', 6, '', '', ''), ('sysdb', 7, '', '', '');
CREATE TABLE tenants (id TEXT PRIMARY KEY, UNIQUE (id));
CREATE TABLE databases (id TEXT PRIMARY KEY, name TEXT NOT NULL, tenant_id TEXT NOT NULL REFERENCES tenants(id) ON DELETE CASCADE, UNIQUE (tenant_id, name));
INSERT INTO tenants VALUES ('default_tenant');
INSERT INTO databases VALUES ('00000000-0000-0000-0000-000000000000', 'default_database', 'default_tenant');
CREATE TABLE collections (id TEXT PRIMARY KEY, name TEXT NOT NULL, dimension INTEGER, database_id TEXT NOT NULL REFERENCES databases(id) ON DELETE CASCADE, config_json_str TEXT, UNIQUE (name, database_id));
CREATE TABLE collection_metadata (collection_id TEXT REFERENCES collections(id) ON DELETE CASCADE, key TEXT NOT NULL, str_value TEXT, int_value INTEGER, float_value REAL, bool_value INTEGER, PRIMARY KEY (collection_id, key));
CREATE TABLE segments (id TEXT PRIMARY KEY, type TEXT NOT NULL, scope TEXT NOT NULL, collection TEXT REFERENCES collection(id));
CREATE TABLE segment_metadata (segment_id TEXT REFERENCES segments(id) ON DELETE CASCADE, key TEXT NOT NULL, str_value TEXT, int_value INTEGER, float_value REAL, bool_value INTEGER, PRIMARY KEY (segment_id, key));
CREATE TABLE embeddings (id INTEGER PRIMARY KEY, segment_id TEXT NOT NULL, embedding_id TEXT NOT NULL, seq_id BLOB NOT NULL, created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, UNIQUE (segment_id, embedding_id));
CREATE TABLE embedding_metadata (id INTEGER REFERENCES embeddings(id), key TEXT NOT NULL, string_value TEXT, int_value INTEGER, float_value REAL, bool_value INTEGER, PRIMARY KEY (id, key));
CREATE TABLE max_seq_id (segment_id TEXT PRIMARY KEY, seq_id BLOB NOT NULL);
CREATE VIRTUAL TABLE embedding_fulltext_search USING fts5(string_value, tokenize='trigram');
CREATE TABLE embeddings_queue (seq_id INTEGER PRIMARY KEY, created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, operation INTEGER NOT NULL, topic TEXT NOT NULL, id TEXT NOT NULL, vector BLOB, encoding TEXT, metadata TEXT);

INSERT INTO collections VALUES ('11111111-1111-4111-8111-111111111111', 'memory', 3, '00000000-0000-0000-0000-000000000000',
  '{"hnsw_configuration": {"space": "cosine", "_type": "HNSWConfigurationInternal"}, "_type": "CollectionConfigurationInternal"}');
INSERT INTO segments VALUES
  ('22222222-2222-4222-8222-222222222222', 'urn:chroma:segment/vector/hnsw-local-persisted', 'VECTOR', '11111111-1111-4111-8111-111111111111'),
  ('33333333-3333-4333-8333-333333333333', 'urn:chroma:segment/metadata/sqlite', 'METADATA', '11111111-1111-4111-8111-111111111111');
-- The log position of the record tables is a blob; that of the index is in the pickle.
INSERT INTO max_seq_id VALUES
  ('33333333-3333-4333-8333-333333333333', x'0000000000000008');
