package server

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/content"
	"github.com/holdfast-backup/holdfast/source/chroma/transfer"
)

var _ holdfast.PartRestorer = (*Source)(nil)

// Running implements holdfast.PartRestorer: there is no other way in than by requests.
func (s *Source) Running() bool { return true }

// target is the server as package transfer takes it.
func (s *Source) target() transfer.Target {
	return transfer.Target{API: s.api, Tenants: s.o.Tenants, Databases: s.o.Databases, Logger: s.o.API.Logger}
}

// PlanParts implements holdfast.PartRestorer.
func (s *Source) PlanParts(ctx context.Context, copy fs.FS, parts []holdfast.Part) (_ holdfast.PartPlan, err error) {
	c, err := content.Open(ctx, copy)
	if err != nil {
		return holdfast.PartPlan{}, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	return transfer.Plan(ctx, s.target(), c, parts)
}

// RestoreParts implements holdfast.PartRestorer.
func (s *Source) RestoreParts(ctx context.Context, copy fs.FS, parts []holdfast.Part, o holdfast.PartOptions) (_ holdfast.PartResult, err error) {
	c, err := content.Open(ctx, copy)
	if err != nil {
		return holdfast.PartResult{Undone: true}, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	return transfer.Apply(ctx, s.target(), c, parts, o)
}

// Settle implements holdfast.PartRestorer.
func (s *Source) Settle(ctx context.Context, note json.RawMessage) (holdfast.Settled, error) {
	return transfer.Settle(ctx, s.target(), note)
}
