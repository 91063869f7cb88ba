package browser

import (
	"bytes"
	"flag"
	"fmt"
	"image/png"
	"io/fs"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/web/gallery"
)

var update = flag.Bool("update", false, "write the pictures of the documents into docs/images")

// A picture stands in the documents: a state of the gallery, which is drawn at a fixed
// time, so that it is the same whoever makes it.
type picture struct {
	name   string
	state  string
	lang   locale.Lang
	theme  string
	width  int64
	height int64
}

// pictures are all of docs/images.
func pictures() []picture {
	const tall = 1010
	all := []picture{
		{"overview.dark.en", "overview-safe", locale.English, "dark", wide, tall},
		{"new.en", "backups-new", locale.English, "light", wide, tall},
		{"details.en", "details-chroma", locale.English, "light", wide, tall},
		{"activity.en", "activity-busy-day", locale.English, "light", wide, high},
		{"search.en", "search-found", locale.English, "light", wide, 720},
		{"compare.en", "compare-live", locale.English, "light", wide, 780},
		{"contents.dark.en", "contents-rows-records", locale.English, "dark", wide, tall},
		{"phone-search.th", "search-found", locale.Thai, "light", narrow, 844},
		{"phone.fa", "overview-safe", locale.Persian, "light", 390, 844},
	}
	for _, lang := range locale.Languages() {
		all = append(all, picture{"one." + string(lang), "restore-one-row", lang, "light", wide, 1300})
		for name, state := range map[string]string{"overview": "overview-safe", "backups": "backups-many-first", "restore": "restore-enhanced", "job": "jobs-restore-swap", "contents": "contents-rows-records"} {
			all = append(all, picture{name + "." + string(lang), state, lang, "light", wide, tall})
		}
	}
	return all
}

// The folder of the pictures, and where they are shown.
var (
	documents = filepath.Join("..", "..")
	images    = filepath.Join(documents, "docs", "images")
)

// mostBytes is what a picture may weigh.
const mostBytes = 200 << 10

// TestPictures takes the pictures of the documents: those that are there show pages of
// the same width. With -update it writes them.
//
//	go test ./test/browser -run TestPictures -update
func TestPictures(t *testing.T) {
	server := httptest.NewServer(gallery.Handler())
	defer server.Close()
	b := newTab(t)
	for _, p := range pictures() {
		taken, err := b.take(server.URL, p)
		if err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		file := filepath.Join(images, p.name+".png")
		if *update {
			if err := os.WriteFile(file, taken, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		there, err := os.ReadFile(file)
		if err != nil {
			t.Errorf("%v; -update writes it", err)
			continue
		}
		got, err := png.DecodeConfig(bytes.NewReader(there))
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		want, err := png.DecodeConfig(bytes.NewReader(taken))
		if err != nil || got.Width != want.Width || got.Height != want.Height {
			t.Errorf("%s is %d×%d, the page %d×%d (%v); -update writes it anew", file, got.Width, got.Height, want.Width, want.Height, err)
		}
		if len(there) > mostBytes {
			t.Errorf("%s has %d bytes, more than %d", file, len(there), mostBytes)
		}
	}
}

// take takes a picture.
func (b *tab) take(origin string, p picture) ([]byte, error) {
	if err := b.size(p.width, p.height); err != nil {
		return nil, err
	}
	if err := b.open(fmt.Sprintf("%s/show/%s?lang=%s&theme=%s", origin, p.state, p.lang, p.theme)); err != nil {
		return nil, err
	}
	return chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
}

// linked matches a picture in a document, in either way of writing it.
var linked = regexp.MustCompile(`(?:\]\(|src="|srcset=")([^)"\s]+\.png)`)

// Every picture that a document shows is there, and every picture is shown.
func TestPictures_AreShown(t *testing.T) {
	var shown []string
	for _, folder := range []string{".", "docs", "examples/ragpdf"} {
		pages, err := filepath.Glob(filepath.Join(documents, folder, "*.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range pages {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			for _, link := range linked.FindAllStringSubmatch(string(text), -1) {
				name := path.Join(filepath.ToSlash(folder), link[1])
				if _, err := fs.Stat(os.DirFS(documents), name); err != nil {
					t.Errorf("%s shows %s: %v", page, link[1], err)
				}
				shown = append(shown, name)
			}
		}
	}
	there, err := os.ReadDir(images)
	if err != nil {
		t.Fatal(err)
	}
	if len(there) == 0 {
		t.Error("there are no pictures")
	}
	for _, entry := range there {
		if !slices.Contains(shown, "docs/images/"+entry.Name()) {
			t.Errorf("docs/images/%s is shown nowhere", entry.Name())
		}
		name := strings.TrimSuffix(entry.Name(), ".png")
		if !slices.ContainsFunc(pictures(), func(p picture) bool { return p.name == name }) && !slices.Contains(chatPictures(), name) {
			t.Errorf("no test takes docs/images/%s", entry.Name())
		}
	}
}
