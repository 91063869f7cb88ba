package jobs

import (
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/redact"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// A Failure is why a job failed.
type Failure = report.Error

// failureOf is why a job failed; nil if it did not. What is said of addresses leaves
// out what is secret in them.
func failureOf(j job.Job) *Failure {
	if j.Error == nil || j.State == job.Cancelled {
		return nil
	}
	f := *j.Error
	f.Object, f.Message, f.Hint = redact.Text(f.Object), redact.Text(f.Message), redact.Text(f.Hint)
	f.Errors = nil
	for _, part := range j.Error.Errors {
		f.Errors = append(f.Errors, report.ErrorDetail{Op: part.Op, Object: redact.Text(part.Object), Message: redact.Text(part.Message), Hint: redact.Text(part.Hint)})
	}
	return &f
}
