package holdfast

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// The manual's example must come out field for field.
func TestMetadata_ManualFieldsComeFirst(t *testing.T) {
	m := Metadata{
		BackupName: "enhanced_backup_20241030_143000", CreatedAt: At(time.Date(2024, 10, 30, 14, 30, 0, 0, time.UTC)),
		Type: Enhanced, IncludesMemory: true, RAGMode: "enhanced",
		DatabaseInfo: DatabaseInfo{TotalRecords: 447, DatabasePath: "./data/chromadb", DatabaseSizeMB: 12.5},
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"backup_name":"enhanced_backup_20241030_143000","created_at":"2024-10-30T14:30:00.000Z","type":"enhanced",` +
		`"includes_memory":true,"rag_mode":"enhanced","database_info":{"total_records":447,"database_path":"./data/chromadb","database_size_mb":12.5},`
	if !strings.HasPrefix(string(b), want) {
		t.Errorf("metadata begins\n%s\nwant\n%s", b, want)
	}
}

func TestTime_RoundTripsToTheMillisecond(t *testing.T) {
	for _, s := range []string{"2024-10-30T14:30:00.000Z", "2024-10-30T14:30:00.120Z"} {
		var v Time
		if err := json.Unmarshal([]byte(`"`+s+`"`), &v); err != nil {
			t.Fatal(err)
		}
		if b, _ := json.Marshal(v); string(b) != `"`+s+`"` {
			t.Errorf("%s came back as %s", s, b)
		}
	}
	var v Time
	if err := json.Unmarshal([]byte(`"2024-10-30T21:30:00.123456+07:00"`), &v); err != nil || v.String() != "2024-10-30T14:30:00.123Z" {
		t.Errorf("an offset and microseconds gave %s, %v", v, err)
	}
	for _, bad := range []string{`7`, `"yesterday"`, `""`} {
		if err := json.Unmarshal([]byte(bad), &v); err == nil {
			t.Errorf("%s was accepted as a time", bad)
		}
	}
}

func TestChromaSchema_Newer(t *testing.T) {
	old, new := ChromaSchema{EmbeddingsQueue: 2, MetaDB: 5, SysDB: 9}, ChromaSchema{EmbeddingsQueue: 2, MetaDB: 6, SysDB: 10}
	if !new.Newer(old) || old.Newer(new) || old.Newer(old) {
		t.Error("a schema is newer when any of its three numbers is higher")
	}
}
