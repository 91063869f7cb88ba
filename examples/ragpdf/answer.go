package main

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An answer is what the documents say to a question: the passages themselves, each
// with its file and page. Nothing is made up; where nothing fits, it says so.
type answer struct {
	Question string
	Sources  []source
	Related  []conversation // earlier ones about the same, in enhanced mode
}

// A source is a passage that answers.
type source struct {
	File  string
	Page  int
	Text  string
	Score float64 // how much of the question it covers, 0 to 1
}

const (
	candidates  = 30   // passages that are looked at
	enough      = 0.5  // of the question that a passage must cover
	nearlyAs    = 0.75 // of the best one's score that others need
	mostSources = 3
	shownSize   = 240 // letters of a passage that are shown
)

// answer looks for passages: Chroma finds what is near, and what covers the
// question best is kept.
func (a *assistant) answer(ctx context.Context, question string) (answer, error) {
	out := answer{Question: question}
	near, err := a.chroma.query(ctx, documentCollection, vector(about(question)), candidates)
	if err != nil {
		return out, err
	}
	for i, text := range near.Documents[0] {
		meta := near.Metadatas[0][i]
		s := source{File: textOf(meta, "file"), Page: numberOf(meta, "page"), Text: text, Score: coverage(question, text)}
		if s.Score >= enough && s.File != "" {
			out.Sources = append(out.Sources, s)
		}
	}
	slices.SortStableFunc(out.Sources, func(x, y source) int {
		switch {
		case x.Score > y.Score:
			return -1
		case x.Score < y.Score:
			return 1
		}
		return 0
	})
	out.Sources = bestSources(question, out.Sources)
	return out, nil
}

// bestSources keeps the best, one of each page, and of each the part that answers.
func bestSources(question string, all []source) []source {
	var out []source
	pages := map[string]bool{}
	for _, s := range all {
		page := s.File + "\x00" + strconv.Itoa(s.Page)
		if pages[page] || len(out) == mostSources || s.Score < nearlyAs*all[0].Score {
			continue
		}
		pages[page] = true
		s.Text = extract(question, s.Text)
		out = append(out, s)
	}
	return out
}

// extract gives the part of a passage that covers the question best.
func extract(question, text string) string {
	best, score := "", -1.0
	for _, part := range split(text, shownSize, shownSize/2) {
		if c := coverage(question, part); c > score {
			best, score = part, c
		}
	}
	// Sentences before the one that answers are left out.
	whole := best
	for _, b := range bordersOf(whole) {
		rest := strings.TrimSpace(whole[b.at:])
		if b.rank >= betweenSentences && rest != "" && coverage(question, rest) >= score {
			best = rest
		}
	}
	before, after, _ := strings.Cut(text, best)
	if strings.TrimSpace(before) != "" {
		best = "… " + best
	}
	if strings.TrimSpace(after) != "" {
		best += " …"
	}
	return best
}

// The memory of an enhanced assistant is a collection of its own: a record for each
// question, with the answer, its sources and the time.

const (
	memoryCollection = "enhanced_rag_memory"
	sameSubject      = 0.6 // of a question that an earlier one must cover
	mostRelated      = 3
)

// A conversation is a question that was asked and what was answered.
type conversation struct {
	Question string
	Answer   string
	Sources  []string
	At       time.Time
}

// remember keeps a conversation.
func (a *assistant) remember(ctx context.Context, q answer) error {
	now := time.Now().UTC()
	var told, sources []string
	for _, s := range q.Sources {
		told = append(told, s.Text)
		sources = append(sources, s.File+" · "+strconv.Itoa(s.Page))
	}
	reply := strings.Join(told, "\n\n")
	return a.chroma.upsert(ctx, memoryCollection, records{
		IDs:        []string{"memory-" + now.Format("20060102T150405.000000000")},
		Documents:  []string{q.Question + "\n\n" + reply},
		Embeddings: [][]float32{vector(about(q.Question))},
		Metadatas: []map[string]any{{
			"question": q.Question, "answer": reply, "sources": strings.Join(sources, "\n"), "timestamp": now.Format(time.RFC3339Nano),
		}},
	})
}

// related finds earlier conversations about the same, the nearest first.
func (a *assistant) related(ctx context.Context, question string) ([]conversation, error) {
	near, err := a.chroma.query(ctx, memoryCollection, vector(about(question)), candidates)
	if err != nil {
		return nil, err
	}
	var out []conversation
	for _, meta := range near.Metadatas[0] {
		c := remembered(meta)
		known := slices.ContainsFunc(out, func(o conversation) bool { return o.Question == c.Question })
		if c.Answer != "" && !known && coverage(question, c.Question) >= sameSubject && len(out) < mostRelated {
			out = append(out, c)
		}
	}
	return out, nil
}

// conversations gives the memory, the newest first, and how much there is.
func (a *assistant) conversations(ctx context.Context) ([]conversation, int, error) {
	n, err := a.chroma.count(ctx, memoryCollection)
	if err != nil {
		return nil, 0, err
	}
	// Chroma gives records in the order in which they came.
	page, err := a.chroma.get(ctx, memoryCollection, nil, listed, max(0, n-listed))
	if err != nil {
		return nil, 0, err
	}
	var out []conversation
	for _, meta := range slices.Backward(page.Metadatas) {
		out = append(out, remembered(meta))
	}
	return out, n, nil
}

// remembered reads a record of the memory.
func remembered(meta map[string]any) conversation {
	c := conversation{Question: textOf(meta, "question"), Answer: textOf(meta, "answer")}
	if s := textOf(meta, "sources"); s != "" {
		c.Sources = strings.Split(s, "\n")
	}
	c.At, _ = time.Parse(time.RFC3339Nano, textOf(meta, "timestamp")) // of another program: no time
	return c
}
