package engine

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/holdfast-backup/holdfast"
)

// questionsFile is where the questions about a source are in a backup.
func questionsFile(source string) string { return holdfast.QuestionsDir + "/" + source + ".json" }

// recordQuestions writes down what a drill will ask of each source, with the answers
// that the captured copy gives now. A backup is as good without them, so that a
// failure is only told.
func (b *backup) recordQuestions(ctx context.Context) error {
	for _, s := range b.sources {
		asker, ok := s.(holdfast.Rehearser)
		if !ok || b.unreadable {
			continue // what cannot be read here is told by its check
		}
		err := b.recordQuestionsOf(ctx, asker)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case b.blamesBase(err):
			return &baseError{base: b.form.Base, err: err}
		case errors.Is(err, holdfast.ErrRefused):
			return err // there is no room for anything more
		case err != nil:
			b.add(holdfast.Problem{
				Source: s.Name(), Severity: holdfast.Warning,
				Message: "no questions for a drill could be recorded: " + err.Error(), Hint: "a drill of this backup will compare files and numbers only",
			})
		}
	}
	return nil
}

// recordQuestionsOf records the questions about one source, or takes over those of
// the base if nothing has changed since.
func (b *backup) recordQuestionsOf(ctx context.Context, s holdfast.Rehearser) error {
	file := questionsFile(s.Name())
	if b.unchanged(s) != nil {
		if kept, err := b.pending.Keep(file); kept || err != nil {
			return err
		}
	}
	sub, err := fs.Sub(b.pending.FS(), s.Name())
	if err != nil {
		return err
	}
	return b.pending.WriteFile(file, func(w io.Writer) error {
		_, err := s.Questions(ctx, sub, w)
		return err
	})
}
