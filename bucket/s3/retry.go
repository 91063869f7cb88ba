package s3

import (
	"context"
	"crypto/x509"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/holdfast-backup/holdfast/bucket"
)

const (
	firstWait = 50 * time.Millisecond
	longWait  = 10 * time.Second
	// slowest is the rate below which a connection counts as dead.
	slowest = 32 << 10 // bytes a second
	// patience is what an attempt gets beside the time for its bytes.
	patience = 30 * time.Second
	// firstContact is how long a service is called that has never answered: more
	// likely than down it is not there, or the URL is wrong.
	firstContact = 30 * time.Second
)

// errAmbiguous marks a failure after which nobody knows whether the service
// did what it was asked to.
var errAmbiguous = errors.New("the answer was lost")

// retry calls do until it succeeds, fails for good, or the deadline has passed.
// A service that has not answered yet gets less time. size is how many bytes an
// attempt moves. The waits between grow and are drawn
// by lot, so that many clients do not come back at the same moment.
func (b *Bucket) retry(ctx context.Context, size int64, do func(ctx context.Context) error) error {
	begun := time.Now()
	ambiguous := false
	for wait := firstWait; ; wait = min(2*wait, longWait) {
		err := b.attempt(ctx, size, do)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !transient(err):
			return err
		}
		ambiguous = ambiguous || !refusedForNow(err)
		pause := wait/2 + rand.N(wait)
		if time.Since(begun)+pause > b.deadline() {
			if ambiguous {
				err = errors.Join(err, errAmbiguous)
			}
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// deadline is how long one request is tried for.
func (b *Bucket) deadline() time.Duration {
	if b.answered.Load() {
		return b.o.Deadline
	}
	return min(firstContact, b.o.Deadline)
}

// attempt bounds one attempt in time.
func (b *Bucket) attempt(ctx context.Context, size int64, do func(ctx context.Context) error) error {
	limit := min(patience+time.Duration(size/slowest)*time.Second, b.o.Deadline)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := do(ctx)
	if err == nil || status(err) != 0 {
		b.answered.Store(true)
	}
	return err
}

var transientCodes = []string{
	"RequestTimeout", "Throttling", "ThrottlingException", "RequestLimitExceeded", "RequestThrottled",
	"InternalError", "SlowDown", "SlowDownWrite", "SlowDownRead", "ServiceUnavailable", "OperationAborted",
	"BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody", // the bytes were damaged on their way
	"ConditionalRequestConflict",
}

var transientStatus = []int{
	http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
	http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
}

// transient tells whether an error may be gone at the next attempt: the service
// is overloaded, or the network failed. What the service refused it will refuse
// again.
func transient(err error) bool {
	if errors.Is(err, errNoCredentials) || errors.Is(err, bucket.ErrFenced) || errors.Is(err, errForGood) {
		return false
	}
	if r, ok := errors.AsType[minio.ErrorResponse](err); ok {
		return slices.Contains(transientCodes, r.Code) || slices.Contains(transientStatus, r.StatusCode)
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return false
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return false
	}
	if _, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return false
	}
	return true
}

// refusedForNow tells whether the service said that it did not do it.
func refusedForNow(err error) bool {
	r, ok := errors.AsType[minio.ErrorResponse](err)
	return ok && (r.StatusCode == http.StatusServiceUnavailable || r.StatusCode == http.StatusTooManyRequests) && r.Code != ""
}

// status gives the status of an answer, 0 if there was none.
func status(err error) int {
	r, _ := errors.AsType[minio.ErrorResponse](err)
	return r.StatusCode
}

// code gives the service's word for what went wrong.
func code(err error) string {
	r, _ := errors.AsType[minio.ErrorResponse](err)
	return r.Code
}

// absentCodes are the words for an object that is not there; the answer to HEAD
// has none.
var absentCodes = []string{"NoSuchKey", "NoSuchVersion", "NotFound", ""}

// absent tells whether the service has no such object. A bucket or a user that
// is not there is another failure.
func absent(err error) bool {
	return status(err) == http.StatusNotFound && slices.Contains(absentCodes, code(err))
}

// conditionFailed tells whether a conditional request met another object, or
// none, than it was to meet.
func conditionFailed(err error) bool {
	return status(err) == http.StatusPreconditionFailed || code(err) == "PreconditionFailed"
}
