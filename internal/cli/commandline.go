package cli

import (
	"strings"

	"github.com/holdfast-backup/holdfast/internal/redact"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// commandLine is a command as a person can run it again: with the flags that say
// where things are, quoted for a shell.
func commandLine(g *globals, words ...string) string {
	line := append([]string{"holdfast"}, words...)
	flag := func(name string, values ...string) {
		for _, v := range values {
			if v != "" {
				line = append(line, "--"+name, v)
			}
		}
	}
	flag("config", g.Config)
	flag("repo", g.Repo)
	flag("chroma", g.Chroma...)
	for _, address := range g.ChromaURL {
		flag("chroma-url", redact.Text(address)) // it may hold a password
	}
	flag("memory-collection", g.MemoryCollection...)
	flag("rag-mode", g.RAGMode)
	flag("sqlite", g.SQLite...)
	flag("files", g.Files...)
	for i, word := range line {
		line[i] = report.Quoted(word)
	}
	return strings.Join(line, " ")
}
