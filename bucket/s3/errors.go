package s3

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"slices"

	"github.com/minio/minio-go/v7"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

var (
	errClosed   = fmt.Errorf("the object has ended: %w", fs.ErrClosed)
	errEnded    = fmt.Errorf("the stage has ended: %w", fs.ErrClosed)
	errOpen     = errors.New("an object is still being written")
	errNotReady = fmt.Errorf("the object is not complete: %w", fs.ErrNotExist)
	errAbsent   = fmt.Errorf("no such object: %w", fs.ErrNotExist)
	errTaken    = fmt.Errorf("taken: %w", fs.ErrExist)
	errNegative = errors.New("negative offset or length")
	errReplaced = holdfast.Kindf(errForGood, "it was replaced while it was being read")

	// errForGood marks failures of ours that no second attempt mends.
	errForGood = errors.New("final")
)

// fail says what failed on which object, and what to do about it.
func (b *Bucket) fail(op, key string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) {
		return err // whoever cancelled knows what
	}
	if e, ok := err.(*holdfast.Error); ok {
		return e
	}
	return explain(op, b.place(key), err)
}

// place names an object for people.
func (b *Bucket) place(key string) string {
	if key == "" {
		return b.o.name()
	}
	return b.o.name() + "/" + key
}

// explain turns an answer of the service, or the lack of one, into an error
// with a hint.
func explain(op, object string, err error) error {
	e := &holdfast.Error{Op: op, Object: object, Err: err}
	if inner, ok := errors.AsType[*holdfast.Error](err); ok && inner.Hint != "" {
		e.Hint = inner.Hint
		return e
	}
	if errors.Is(err, bucket.ErrFenced) {
		e.Hint = "nothing of this was shown; run it again, and see who else uses the repository"
		return e
	}
	if errors.Is(err, context.DeadlineExceeded) {
		e.Err = fmt.Errorf("the service did not answer in time: %w", err)
		e.Hint = "look at the network, and at endpoint= in the URL"
		return e
	}
	if ue, ok := errors.AsType[*url.Error](err); ok {
		e.Err = unreachable(ue)
		e.Hint = "look at the network, and at endpoint= in the URL"
		if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); unknown {
			e.Hint = "if the service has a certificate of its own, name the file of its authority with ca_file="
		}
		return e
	}
	r, ok := errors.AsType[minio.ErrorResponse](err)
	if !ok {
		return e
	}
	switch {
	case absent(err):
		e.Err = errAbsent
		return e
	case code(err) == "NoSuchBucket":
		e.Err = holdfast.Kindf(holdfast.ErrNotFound, "there is no such bucket: %w", err)
		e.Hint = "make the bucket first, and look at endpoint= and region="
	case code(err) == "RequestTimeTooSkewed":
		e.Hint = "the clock of this machine is wrong; set it, the service takes no signature that is older than a few minutes"
	case slices.Contains([]string{"InvalidAccessKeyId", "XAdminUserNotFound", "SignatureDoesNotMatch"}, code(err)):
		e.Hint = "the service does not accept the credentials; look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and profile="
	case code(err) == "ExpiredToken":
		e.Hint = "the session has ended; get new credentials"
	case status(err) == http.StatusMovedPermanently, code(err) == "AuthorizationHeaderMalformed":
		e.Hint = "the bucket is in another region; name it with region="
	case status(err) == http.StatusForbidden:
		e.Hint = "the credentials need permission to list the bucket and to get, put and delete its objects"
	case r.StatusCode == http.StatusInsufficientStorage, code(err) == "QuotaExceeded", code(err) == "XMinioStorageFull":
		e.Err = holdfast.Kindf(holdfast.ErrRefused, "%w", err)
		e.Hint = "the service has no room left"
	case r.StatusCode >= 500:
		e.Hint = "the service has trouble; try again later"
	}
	if r.StatusCode != 0 {
		e.Err = fmt.Errorf("%w (%s)", e.Err, statusText(r))
	}
	return e
}

func statusText(r minio.ErrorResponse) string {
	if r.Code != "" {
		return fmt.Sprintf("%d %s", r.StatusCode, r.Code)
	}
	return fmt.Sprintf("%d %s", r.StatusCode, http.StatusText(r.StatusCode))
}

// unreachable drops the address of the request: it is long, and the object has
// been named.
func unreachable(err *url.Error) error {
	if op, ok := errors.AsType[*net.OpError](err.Err); ok {
		return op
	}
	return err.Err
}
