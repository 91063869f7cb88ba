package disk

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io/fs"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/disk/internal/hnsw"
)

// The spaces in which a collection measures distance.
const (
	SpaceL2     = "l2"
	SpaceCosine = "cosine"
	SpaceIP     = "ip"
)

// A Collection is one collection and what Chroma keeps for it.
type Collection struct {
	holdfast.ChromaCollection
	// MetadataSegment owns the rows of the records. The vector index is
	// ChromaCollection.Segment.
	MetadataSegment string
	// Metadata are the user's and, before 1.0, the index's parameters.
	Metadata holdfast.Values
	// ConfigJSON and SchemaJSON are Chroma's configuration, verbatim.
	ConfigJSON string
	SchemaJSON string
	// Applied is the log position up to which the record tables are
	// complete.
	Applied int64

	topic string
	// indexed is the log position of the vector index as the database says
	// it; nil if it says nothing.
	indexed *int64
}

// topicPrefix and the collection's id name its entries in the log.
const topicPrefix = "persistent://default/default/"

// readCollections reads the rows of all collections. Foreign keys are not
// enforced by Chroma, so a database or tenant may be missing.
func (d *Dir) readCollections(ctx context.Context, counted bool) ([]Collection, error) {
	l := d.layout
	query := fmt.Sprintf(`SELECT c.id, c.name, coalesce(c.dimension, 0), 'default_tenant', 'default_database', %s, %s, %s FROM collections AS c ORDER BY c.name`,
		l.orNull("collections", "config_json_str"), l.orNull("collections", "schema_str"), l.orNull("collections", "topic"))
	if l.tenants() {
		query = fmt.Sprintf(`SELECT c.id, c.name, coalesce(c.dimension, 0), coalesce(d.tenant_id, ''), coalesce(d.name, ''), %s, %s, %s
			FROM collections AS c LEFT JOIN databases AS d ON d.id = c.database_id ORDER BY 4, 5, 2`,
			l.orNull("collections", "config_json_str"), l.orNull("collections", "schema_str"), l.orNull("collections", "topic"))
	}
	rows, err := d.db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Collection
	for rows.Next() {
		var c Collection
		var config, schema, topic sql.NullString
		if err := rows.Scan(&c.ID, &c.Name, &c.Dimension, &c.Tenant, &c.Database, &config, &schema, &topic); err != nil {
			return nil, err
		}
		c.ConfigJSON, c.SchemaJSON, c.topic = config.String, schema.String, topic.String
		if c.topic == "" {
			c.topic = topicPrefix + c.ID
		}
		all = append(all, c)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for i := range all {
		if err := d.complete(ctx, &all[i]); err != nil {
			return nil, err
		}
		if !counted {
			continue
		}
		if all[i].Records, err = d.count(ctx, all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// complete adds what other tables and the index folder say of a collection.
func (d *Dir) complete(ctx context.Context, c *Collection) error {
	var err error
	if c.Segment, c.MetadataSegment, err = readSegments(ctx, d.db, c.ID); err != nil {
		return err
	}
	if c.Metadata, err = readValues(ctx, d.db, d.layout, "collection_metadata", "collection_id", c.ID); err != nil {
		return err
	}
	segment, err := readValues(ctx, d.db, d.layout, "segment_metadata", "segment_id", c.Segment)
	if err != nil {
		return err
	}
	c.Space = spaceOf(*c, segment)
	if applied, err := readPosition(ctx, d.db, c.MetadataSegment); err != nil {
		return err
	} else if applied != nil {
		c.Applied = *applied
	}
	if c.indexed, err = readPosition(ctx, d.db, c.Segment); err != nil {
		return err
	}
	if fsys, ok := d.folder(*c); ok {
		if c.Indexed, err = hnsw.Persisted(fsys); err != nil {
			return err
		}
	}
	return nil
}

// folder is the collection's index folder. A name that is no plain folder name
// is never followed.
func (d *Dir) folder(c Collection) (fs.FS, bool) {
	if !isUUID(c.Segment) {
		return nil, false
	}
	sub, err := fs.Sub(d.fsys, c.Segment)
	return sub, err == nil
}

// readSegments gives the two segments of a collection; one that is not there
// is empty.
func readSegments(ctx context.Context, q querier, collection string) (vector, metadata string, err error) {
	rows, err := q.QueryContext(ctx, `SELECT id, scope FROM segments WHERE collection = ?`, collection)
	if err != nil {
		return "", "", err
	}
	defer rows.Close()
	for rows.Next() {
		var id, scope string
		if err := rows.Scan(&id, &scope); err != nil {
			return "", "", err
		}
		switch scope {
		case "VECTOR":
			vector = id
		case "METADATA":
			metadata = id
		}
	}
	return vector, metadata, rows.Err()
}

// readValues reads one of the tables of typed values that hang on a collection
// or segment.
func readValues(ctx context.Context, q querier, l layout, table, owner, id string) (holdfast.Values, error) {
	if !l.table(table) {
		return nil, nil
	}
	rows, err := q.QueryContext(ctx, fmt.Sprintf(`SELECT key, str_value, int_value, float_value, %s FROM %s WHERE %s = ?`,
		l.orNull(table, "bool_value"), table, owner), id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var values holdfast.Values
	for rows.Next() {
		var key string
		var c columns
		if err := rows.Scan(&key, &c.str, &c.num, &c.float, &c.flag); err != nil {
			return nil, err
		}
		if values == nil {
			values = holdfast.Values{}
		}
		values[key] = c.value()
	}
	return values, rows.Err()
}

// spaceOf finds the space where the release that wrote the collection keeps
// it; all of them fall back to l2.
func spaceOf(c Collection, segment holdfast.Values) string {
	var schema struct {
		Keys map[string]struct {
			FloatList struct {
				VectorIndex struct {
					Config struct {
						Space string `json:"space"`
					} `json:"config"`
				} `json:"vector_index"`
			} `json:"float_list"`
		} `json:"keys"`
	}
	type index struct {
		Space string `json:"space"`
	}
	var config struct {
		VectorIndex struct {
			HNSW  index `json:"hnsw"`
			SPANN index `json:"spann"`
		} `json:"vector_index"`
		HNSW index `json:"hnsw_configuration"` // 0.5 and 0.6
	}
	// What cannot be parsed says nothing; Check reports it.
	_ = json.Unmarshal([]byte(c.SchemaJSON), &schema)
	_ = json.Unmarshal([]byte(c.ConfigJSON), &config)
	legacy, _ := c.Metadata["hnsw:space"].(string)
	older, _ := segment["hnsw:space"].(string)
	for _, s := range []string{
		schema.Keys["#embedding"].FloatList.VectorIndex.Config.Space,
		config.VectorIndex.HNSW.Space, config.VectorIndex.SPANN.Space, config.HNSW.Space,
		legacy, older,
	} {
		if s != "" {
			return s
		}
	}
	return SpaceL2
}
