//go:build linux

package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// A cargo is what a server holds for a capture by requests.
type cargo struct {
	records, dimension, collections int
	// looked tells that its backups are looked into afterwards.
	looked bool
}

func (c cargo) String() string {
	if c.collections > 1 {
		return fmt.Sprintf("%d collections of %d records of %d numbers", c.collections, c.records, c.dimension)
	}
	return fmt.Sprintf("%d records of %d numbers", c.records, c.dimension)
}

// cargoes are what is measured.
var cargoes = []cargo{{100_000, 384, 1, true}, {1_000_000, 16, 1, true}, {20, 8, 2000, false}}

// pagesScript is what people do without a tool: page after page into a file, once. It
// cannot tell whether anything changed meanwhile.
const pagesScript = `import json,os,sys,urllib.request
base=os.environ["URL"]+"/api/v2/tenants/default_tenant/databases/default_database/collections"
def call(path,body=None):
    r=urllib.request.Request(base+path,data=body and json.dumps(body).encode(),headers={"Content-Type":"application/json"})
    return json.load(urllib.request.urlopen(r))
out=open("pages.json","w"); seen=0
while True:
    page=call("?limit=100&offset=%d"%seen)
    for c in page:
        at=0
        while True:
            got=call("/%s/get"%c["id"],{"limit":300,"offset":at,"include":["embeddings","documents","metadatas","uris"]})
            json.dump(got,out); out.write("\n")
            at+=len(got["ids"])
            if len(got["ids"])<300: break
    seen+=len(page)
    if len(page)<100: break
out.close(); os.sync()
`

// A chore is a script that is measured, beside the one that it is compared with.
type chore struct {
	what, who, script string
	before            string // done first, not measured
	readings          []reading
}

// measureRequests measures captures of servers and what is seen of their backups.
func measureRequests(ctx context.Context, w *workshop, o options) (string, error) {
	before := load()
	var text strings.Builder
	for _, c := range cargoes {
		chores, err := w.measureCargo(ctx, c, o.runs)
		if err != nil {
			return "", err
		}
		choreTable(&text, c.String(), chores)
	}
	fmt.Fprintf(&text, "The server makes the records as they are asked for, on the same %d CPUs, and is not counted; each line %d times; load of the machine before %s, after %s.\n", runtime.NumCPU(), o.runs, before, load())
	return text.String(), nil
}

func (w *workshop) measureCargo(ctx context.Context, c cargo, runs int) ([]*chore, error) {
	server, err := w.serveHere(ctx, "records", fmt.Sprint(c.records), fmt.Sprint(c.dimension), fmt.Sprint(c.collections))
	if err != nil {
		return nil, err
	}
	defer server.stop()
	dir, err := os.MkdirTemp(w.dir, "requests-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "pages.py"), []byte(pagesScript), 0o600); err != nil {
		return nil, err
	}
	settings := fmt.Sprintf("repository: repo\nsources:\n  chromadb: {type: chroma, url: %q, rate: 100000}\n", server.url)
	if err := os.WriteFile(filepath.Join(dir, "holdfast.yaml"), []byte(settings), 0o600); err != nil {
		return nil, err
	}
	const backup = `"$H" backup --quiet `
	chores := []*chore{
		{what: "everything, for the first time", who: "a script: pages into a file", script: `python3 pages.py`, before: `rm -f pages.json`},
		{what: "everything, for the first time", who: ours, script: backup + `--name first`, before: `rm -rf repo`},
		{what: "nothing changed", who: ours, script: backup + `--trigger auto`},
		{what: "a record in a thousand changed", who: ours, script: backup + `--trigger auto --name changed`, before: `change`},
	}
	if c.looked {
		rare := fmt.Sprintf("Passage %d,", c.records-7)
		table := "chromadb/default_tenant/default_database/collection-00000"
		chores = append(chores,
			&chore{what: "the first page", who: ours, script: `"$H" browse first ` + table + ` --limit 50 >page`},
			&chore{what: "the last record but six, by id", who: ours, script: fmt.Sprintf(`"$H" browse first %s --key record-%d >row`, table, c.records-7)},
			&chore{what: "a text that one record has", who: "zstd -d, grep", script: fmt.Sprintf(`zstd -qdc repo/first/%s.jsonl.zst | grep -c %q >hits`, table, rare)},
			&chore{what: "a text that one record has", who: ours, script: fmt.Sprintf(`"$H" search first %q --quiet >hits`, rare)},
			&chore{what: "what the change changed, row by row", who: ours, script: `"$H" diff first changed --quiet --details --limit 100000 >rows`},
		)
	}
	p := posting{dir: dir, counts: dir, env: []string{"URL=" + server.url, "HOME=" + dir}}
	for range runs {
		for _, one := range chores {
			switch one.before {
			case "":
			case "change":
				resp, err := http.Post(server.url+"/change", "", nil)
				if err != nil {
					return nil, err
				}
				if err := resp.Body.Close(); err != nil {
					return nil, err
				}
			default:
				if _, err := w.output(ctx, `cd "`+dir+`"; `+one.before); err != nil {
					return nil, err
				}
			}
			r, err := w.time(ctx, p, one.script)
			if err != nil {
				return nil, err
			}
			one.readings = append(one.readings, r)
			fmt.Fprintf(os.Stderr, "  %s, %s: %s\n", one.what, one.who, seconds(r.wall))
		}
	}
	return chores, nil
}

// choreTable shows medians, and the ratio where two do the same.
func choreTable(out *strings.Builder, title string, all []*chore) {
	fmt.Fprintf(out, "### %s\n\n| What | Who | Wall s | CPU s | Most memory MiB | On disk MiB | Ratio of the wall |\n|---|---|--:|--:|--:|--:|--:|\n", title)
	for i, c := range all {
		ratio := ""
		if i > 0 && all[i-1].what == c.what {
			ratio = fmt.Sprintf("**%.2f**", float64(median(c.readings, wallOf))/float64(median(all[i-1].readings, wallOf)))
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %s | %s |\n", c.what, c.who, seconds(median(c.readings, wallOf)), seconds(median(c.readings, cpuOf)),
			mib(median(c.readings, memoryOf)), mib(max(median(c.readings, outputOf), 0)), ratio)
	}
	out.WriteString("\n")
}
