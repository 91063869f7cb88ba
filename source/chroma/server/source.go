// Package server is the source for a running Chroma server that is reached by
// requests alone: on another machine, in a cluster, in a cloud. Package chroma is the
// one to prefer where the directory of the server can be read.
//
// Start from [New]. Capture follows the protocol of DESIGN.md beside this file: HTTP
// gives no snapshot, so everything is read, and looked at again until two looks saw
// the same. What it writes is the tree of package records; [Source.Check],
// ExportMemory and the rest read copies of any form, since the same source may have
// been captured from its files before. How requests are sent, tried again and paced is
// left to package api.
package server

import (
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
)

// Options are the optional parts of a source.
type Options struct {
	// API says where the server is and how it is asked.
	API api.Options
	// Tenants are those that are captured; none is the default tenant. No server
	// lists them.
	Tenants []string
	// Databases are those that are captured of each tenant; none is all.
	Databases []string
	// MemoryCollections hold the memory of a RAG assistant; none means that memory
	// is not configured.
	MemoryCollections []string
	// RAGMode is the mode of the assistant that owns the server.
	RAGMode string
	// Rounds is how often everything is read at most, to find two looks that saw the
	// same; zero is 4.
	Rounds int
	// Window is how long it is looked again after everything was read once; zero is
	// ten minutes.
	Window time.Duration
}

// A Source is a running server.
type Source struct {
	name string
	o    Options
	api  *api.Client
	only scope // what it was narrowed to; nil is everything
	// lenient: tenants and databases that do not exist are nothing to read, and no error.
	lenient bool
}

// New makes a source of the server that o names. Nothing is asked yet.
func New(name string, o Options) (*Source, error) {
	name, err := holdfast.ParseSourceName(name)
	if err != nil {
		return nil, err
	}
	client, err := api.New(o.API)
	if err != nil {
		return nil, err
	}
	o.Tenants, o.Databases, o.MemoryCollections = slices.Clone(o.Tenants), slices.Clone(o.Databases), slices.Clone(o.MemoryCollections)
	if len(o.Tenants) == 0 {
		o.Tenants = []string{api.DefaultTenant}
	}
	if o.Rounds == 0 {
		o.Rounds = 4
	}
	if o.Window == 0 {
		o.Window = 10 * time.Minute
	}
	return &Source{name: name, o: o, api: client}, nil
}

// Name implements holdfast.Source.
func (s *Source) Name() string { return s.name }

// Kind implements holdfast.Source.
func (s *Source) Kind() holdfast.Kind { return holdfast.KindChroma }

// Target implements holdfast.Source.
func (s *Source) Target() holdfast.Target {
	return holdfast.Target{Path: s.api.Location(), Remote: true}
}

func (s *Source) now() time.Time {
	if s.o.API.Now != nil {
		return s.o.API.Now()
	}
	return time.Now()
}
