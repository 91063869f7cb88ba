package cli

import "strings"

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
	flag("memory-collection", g.MemoryCollection...)
	flag("rag-mode", g.RAGMode)
	flag("sqlite", g.SQLite...)
	flag("files", g.Files...)
	for i, word := range line {
		line[i] = quoted(word)
	}
	return strings.Join(line, " ")
}

// plainSigns are the signs that mean nothing to a shell, beside letters and
// digits of any script.
const plainSigns = "/._-=:,@%+"

// quoted is a word as a shell reads it as one.
func quoted(word string) string {
	special := func(r rune) bool {
		return r < 0x80 && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune(plainSigns, r)
	}
	if word != "" && !strings.ContainsFunc(word, special) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
