package disk_test

import (
	"archive/zip"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

var update = flag.Bool("update", false, "make the fixture anew with a real server")

// fixturePath is the committed directory of a real server, zipped.
const fixturePath = "../../../internal/demo/fixture/chroma.zip"

// memories are what the fixture's assistant remembers.
var memories = []string{
	"The user prefers short answers with an example.",
	"ผู้ใช้ชื่อสมชาย ทำงานที่เชียงใหม่",
	"کاربر می‌خواهد پاسخ‌ها به فارسی باشند",
	"Backups run every six hours; the last one was checked by hand.",
	"ผู้ใช้ชอบกาแฟดำไม่ใส่น้ำตาล",
	"نام پروژه «پشتیبان» است و روی یک سرور خانگی اجرا می‌شود",
	"The quarterly report is due on the first Monday of the month.",
	"ประชุมทีมทุกวันพุธเวลาสิบโมง",
	"کاربر از تاریخ شمسی استفاده می‌کند",
	"The user's cat is called Pixel.",
	"เอกสารภาษีอยู่ในโฟลเดอร์ ภาษี ๒๕๖๗",
	"رمزها هرگز در یادداشت‌ها نوشته نمی‌شوند",
}

// makeFixture fills a directory with a real server: the old one, since both
// servers can start on what it writes.
func makeFixture(t *testing.T, dir string) {
	s := chromatest.Start(t, chromatest.Old, dir)
	a := apiOf(t, s)
	small := func(n int) []float32 { return vector(n)[:16] }

	id := a.create("documents", "cosine", 25, holdfast.Values{"made_by": "holdfast"})
	for i := range 40 {
		a.send(id, "add", content{
			IDs: []string{fmt.Sprintf("doc-%02d", i)}, Embeddings: [][]float32{small(i)},
			Documents: []*string{new(fmt.Sprintf("Page %d of the operating manual.", i+1))},
			Metadatas: []holdfast.Values{{"page": int64(i + 1), "reviewed": i%3 == 0, "score": float64(i) / 8}},
		})
	}
	a.call(http.MethodPost, "/collections/"+id+"/delete", map[string]any{"ids": []string{"doc-07"}}, nil)
	a.send(id, "update", content{IDs: []string{"doc-08"}, Embeddings: [][]float32{small(108)}, Documents: []*string{new("Page 9, revised.")}})

	id = a.create("enhanced_rag_memory", "cosine", 8, nil)
	for i, m := range memories {
		a.send(id, "add", content{
			IDs: []string{fmt.Sprintf("memory-%02d", i)}, Embeddings: [][]float32{small(200 + i)}, Documents: []*string{new(m)},
			Metadatas: []holdfast.Values{{"importance": float64(i%5) / 4, "turn": int64(i)}},
		})
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
}

// pack zips a directory with the times of its files.
func pack(t *testing.T, dir, to string) {
	t.Helper()
	f, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := zip.NewWriter(f)
	if err := z.AddFS(os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
}

// fixture unpacks the committed directory.
func fixture(t testing.TB) string {
	t.Helper()
	z, err := zip.OpenReader(fixturePath)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	dir := t.TempDir()
	err = fs.WalkDir(z, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		to := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		in, err := z.Open(path)
		if err != nil {
			return err
		}
		defer in.Close()
		b, err := io.ReadAll(in)
		if err != nil {
			return err
		}
		return os.WriteFile(to, b, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestFixture_HoldsWhatItsReadmeSays(t *testing.T) {
	if *update {
		dir := t.TempDir()
		makeFixture(t, dir)
		pack(t, dir, fixturePath)
	}
	dir := fixture(t)
	report, err := disk.Check(t.Context(), os.DirFS(dir), holdfast.CheckOptions{Full: true})
	if err != nil || report.Problems != nil {
		t.Fatalf("%v %+v", err, report.Problems)
	}
	c := report.Facts.Chroma
	if c.Records != 39+12 || c.Queued == 0 || len(c.Collections) != 2 || !c.Collections[0].Indexed || !c.Collections[1].Indexed {
		t.Errorf("facts %+v", c)
	}
	_, info := export(t, dir, "enhanced_rag_memory")
	if info.Records != int64(len(memories)) || info.Documents != info.Records || info.Dimension != 16 {
		t.Errorf("memory %+v", info)
	}
}
