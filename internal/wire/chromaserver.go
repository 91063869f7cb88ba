package wire

import (
	"context"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/server"
)

// chromaServer builds the source of a server that is configured.
func chromaServer(s config.Source) (holdfast.Source, error) {
	return server.New(s.Name, server.Options{
		API:     api.Options{URL: s.Server.URL, Headers: s.Server.Headers, Rate: s.Server.Rate, Patience: s.Server.Patience},
		Tenants: s.Server.Tenants, Databases: s.Server.Databases,
		MemoryCollections: s.Memory, RAGMode: s.RAGMode,
	})
}

// ChromaServer builds a source of a server that need not be configured: where
// something is restored to. One that is configured at the same URL gives its headers,
// else those of the environment are sent.
func ChromaServer(c *config.Config, name, url string) (holdfast.Source, error) {
	s := config.Source{Name: name, Kind: holdfast.KindChroma, RAGMode: config.RAGEnhanced, Server: &config.Server{URL: url, Headers: c.ChromaHeaders}}
	for _, known := range c.Sources {
		if known.Server != nil && known.Server.Location() == s.Server.Location() {
			configured := *known.Server
			s.Server, s.Memory, s.RAGMode = &configured, known.Memory, known.RAGMode
		}
	}
	return chromaServer(s)
}

// A ServerAnswer is what a server tells of itself.
type ServerAnswer = server.Answer

// AskServer asks the server that a source is; false if it is none.
func AskServer(ctx context.Context, s holdfast.Source) (a ServerAnswer, is bool, err error) {
	asked, is := s.(interface {
		Ask(ctx context.Context) (server.Answer, error)
	})
	if is {
		a, err = asked.Ask(ctx)
	}
	return a, is, err
}
