package disk

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/holdfast-backup/holdfast"
)

// collection finds or creates the collection that info names, gives it info's
// configuration and metadata, and a new vector segment: nothing can then take
// the old index folder for the index of the new records.
func (w *writer) collection(ctx context.Context, info holdfast.MemoryCollection) (target, error) {
	database, err := w.database(ctx, info)
	if err != nil {
		return target{}, err
	}
	t, found, err := w.find(ctx, info.Name, database)
	if err != nil {
		return t, err
	}
	if !found {
		t.id = uuid.NewString()
		t.topic = topicPrefix + t.id
		if err := w.insert(ctx, "collections", map[string]any{
			"id": t.id, "name": info.Name, "topic": t.topic, "database_id": database,
		}); err != nil {
			return t, err
		}
	}
	if err := w.describe(ctx, t, info, found); err != nil {
		return t, err
	}
	return t, w.segments(ctx, &t)
}

// insert writes one row, of the columns that the table has.
func (w *writer) insert(ctx context.Context, table string, row map[string]any) error {
	columns, marks := "", ""
	var values []any
	for column, v := range row {
		if !w.layout.column(table, column) {
			continue
		}
		if values != nil {
			columns, marks = columns+", ", marks+", "
		}
		columns, marks = columns+column, marks+"?"
		values = append(values, v)
	}
	return w.exec(ctx, fmt.Sprintf(`INSERT INTO %s (%s) VALUES (%s)`, table, columns, marks), values...)
}

// database finds the database of the collection, or creates it with its
// tenant. Chroma before 0.4.15 has neither.
func (w *writer) database(ctx context.Context, info holdfast.MemoryCollection) (string, error) {
	if !w.layout.tenants() {
		return "", nil
	}
	tenant, name := info.Tenant, info.Database
	if tenant == "" {
		tenant = "default_tenant"
	}
	if name == "" {
		name = "default_database"
	}
	var id string
	err := w.conn.QueryRowContext(ctx, `SELECT id FROM databases WHERE name = ? AND tenant_id = ?`, name, tenant).Scan(&id)
	if !errors.Is(err, sql.ErrNoRows) {
		return id, err
	}
	id = uuid.NewString()
	if err := w.exec(ctx, `INSERT OR IGNORE INTO tenants (id) VALUES (?)`, tenant); err != nil {
		return "", err
	}
	return id, w.insert(ctx, "databases", map[string]any{"id": id, "name": name, "tenant_id": tenant})
}

// find looks for the collection.
func (w *writer) find(ctx context.Context, name, database string) (t target, found bool, err error) {
	query, args := fmt.Sprintf(`SELECT id, %s FROM collections WHERE name = ?`, w.layout.orNull("collections", "topic")), []any{name}
	if w.layout.tenants() {
		query, args = query+` AND database_id = ?`, append(args, database)
	}
	var topic sql.NullString
	err = w.conn.QueryRowContext(ctx, query, args...).Scan(&t.id, &topic)
	if errors.Is(err, sql.ErrNoRows) {
		return t, false, nil
	}
	if t.topic = topic.String; t.topic == "" {
		t.topic = topicPrefix + t.id
	}
	return t, true, err
}

// describe sets dimension, configuration and metadata of a collection.
func (w *writer) describe(ctx context.Context, t target, info holdfast.MemoryCollection, found bool) error {
	dimension := sql.NullInt64{Int64: int64(info.Dimension), Valid: info.Dimension > 0}
	if err := w.exec(ctx, `UPDATE collections SET dimension = ? WHERE id = ?`, dimension, t.id); err != nil {
		return err
	}
	config, schema, ok := w.configuration(info)
	if ok || !found {
		for column, text := range map[string]sql.NullString{"config_json_str": config, "schema_str": schema} {
			if !w.layout.column("collections", column) {
				continue
			}
			if err := w.exec(ctx, `UPDATE collections SET `+column+` = ? WHERE id = ?`, text, t.id); err != nil {
				return err
			}
		}
	}
	if err := w.exec(ctx, `DELETE FROM collection_metadata WHERE collection_id = ?`, t.id); err != nil {
		return err
	}
	for key, v := range info.Metadata {
		c, err := split(v)
		if err != nil {
			return fmt.Errorf("collection metadata %q: %w", key, err)
		}
		if err := w.insert(ctx, "collection_metadata", map[string]any{
			"collection_id": t.id, "key": key, "str_value": c.str, "int_value": c.num, "float_value": c.float, "bool_value": c.flag,
		}); err != nil {
			return err
		}
	}
	return nil
}

// configuration translates a collection's configuration into the form that
// the directory's release reads: it lies in the schema where there is one,
// else in the configuration. It is false if info says nothing.
func (w *writer) configuration(info holdfast.MemoryCollection) (config, schema sql.NullString, ok bool) {
	config = sql.NullString{String: info.ConfigJSON, Valid: info.ConfigJSON != ""}
	schema = sql.NullString{String: info.SchemaJSON, Valid: info.SchemaJSON != ""}
	if !schema.Valid || w.layout.column("collections", "schema_str") {
		if !config.Valid && !schema.Valid && info.Space != "" {
			config = hnswConfiguration(map[string]any{"space": info.Space})
		}
		return config, schema, config.Valid || schema.Valid
	}
	var s struct {
		Keys map[string]struct {
			FloatList struct {
				VectorIndex struct {
					Config struct {
						Space string         `json:"space"`
						HNSW  map[string]any `json:"hnsw"`
					} `json:"config"`
				} `json:"vector_index"`
			} `json:"float_list"`
		} `json:"keys"`
	}
	// A schema that cannot be read leaves the space, which is known.
	_ = json.Unmarshal([]byte(info.SchemaJSON), &s)
	c := s.Keys["#embedding"].FloatList.VectorIndex.Config
	parameters := map[string]any{"space": info.Space}
	for _, name := range []string{"ef_construction", "ef_search", "max_neighbors", "resize_factor", "sync_threshold"} {
		if v, ok := c.HNSW[name]; ok {
			parameters[name] = v
		}
	}
	if c.Space != "" {
		parameters["space"] = c.Space
	}
	return hnswConfiguration(parameters), sql.NullString{}, true
}

// hnswConfiguration is a configuration as releases without schemas write it.
func hnswConfiguration(parameters map[string]any) sql.NullString {
	text, err := json.Marshal(map[string]any{"vector_index": map[string]any{"hnsw": parameters}, "embedding_function": nil})
	return sql.NullString{String: string(text), Valid: err == nil}
}

// segments gives the collection a new vector segment and a metadata segment.
func (w *writer) segments(ctx context.Context, t *target) error {
	var err error
	if t.old, t.metadata, err = readSegments(ctx, w.conn, t.id); err != nil {
		return err
	}
	t.vector = uuid.NewString()
	if t.old == "" {
		err = w.insert(ctx, "segments", map[string]any{"id": t.vector, "type": typeVector, "scope": "VECTOR", "collection": t.id, "topic": t.topic})
	} else {
		err = w.exec(ctx, `UPDATE segments SET id = ? WHERE id = ?`, t.vector, t.old)
		if err == nil && w.layout.table("segment_metadata") {
			err = w.exec(ctx, `UPDATE segment_metadata SET segment_id = ? WHERE segment_id = ?`, t.vector, t.old)
		}
	}
	if err == nil && t.metadata == "" {
		t.metadata = uuid.NewString()
		err = w.insert(ctx, "segments", map[string]any{"id": t.metadata, "type": typeMetadata, "scope": "METADATA", "collection": t.id, "topic": t.topic})
	}
	return err
}
