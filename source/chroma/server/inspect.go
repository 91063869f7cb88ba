package server

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
)

// glanceTime bounds how long collections are counted for a glance.
const glanceTime = 2 * time.Second

// Inspect implements holdfast.Source. Counts cost a request for each collection: what
// cannot be counted in time is estimated for the size, and of the records nothing is
// told.
func (s *Source) Inspect(ctx context.Context, o holdfast.InspectOptions) (holdfast.Inspection, error) {
	hello, err := s.api.Hello(ctx)
	if err != nil {
		return holdfast.Inspection{}, s.failed(ctx, err)
	}
	bases, err := s.databases(ctx)
	if err != nil {
		return holdfast.Inspection{}, s.failed(ctx, err)
	}
	out := holdfast.Inspection{Exists: true}
	facts := &holdfast.ChromaFacts{QuickCheck: holdfast.CheckUnchecked, Collections: []holdfast.ChromaCollection{}}
	glance := glance{Source: s, hello: hello, until: s.now().Add(glanceTime)}
	for _, base := range bases {
		for c, err := range s.api.Collections(ctx, base.Tenant, base.Name) {
			if _, wanted := s.only.collection(c); err == nil && !wanted {
				continue
			}
			if err == nil {
				err = glance.add(ctx, facts, c)
			}
			if errors.Is(err, holdfast.ErrNotFound) && ctx.Err() == nil {
				break // it has just been deleted
			}
			if err != nil {
				return holdfast.Inspection{}, s.failed(ctx, err)
			}
		}
	}
	out.Bytes = glance.bytes
	if glance.counted > 0 {
		out.Bytes += glance.bytes / glance.counted * glance.left
	}
	if !o.Counts || glance.left == 0 {
		out.Facts.Chroma = facts
	}
	return out, nil
}

// A glance counts as long as there is time.
type glance struct {
	*Source
	hello         api.Server
	until         time.Time
	bytes         int64
	counted, left int64
}

// recordBytes is about what a record takes beside its embedding.
const recordBytes = 600

func (g *glance) add(ctx context.Context, facts *holdfast.ChromaFacts, c api.Collection) error {
	col := holdfast.ChromaCollection{ID: c.ID, Name: c.Name, Tenant: c.Tenant, Database: c.Database, Dimension: c.Dimension, Space: c.Space}
	col.Memory = g.isMemory(col)
	switch {
	case c.Dimension == 0 && g.hello.API == api.V2: // never written
	case g.now().After(g.until):
		g.left++
	default:
		n, err := g.api.Count(ctx, c)
		if err != nil {
			return err
		}
		col.Records = n
		facts.Records += n
		g.counted++
		g.bytes += n * int64(numberBytes*c.Dimension+recordBytes)
	}
	facts.Collections = append(facts.Collections, col)
	return nil
}
