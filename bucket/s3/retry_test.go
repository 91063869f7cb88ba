package s3_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-backup/holdfast/bucket/s3"
)

// A transport answers in place of the network.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// Whoever mistyped the endpoint is not kept waiting for as long as a service
// that has an outage.
func TestBucket_AServiceThatNeverAnsweredIsGivenUpSooner(t *testing.T) {
	refused := errors.New("connection refused")
	down := func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: http.StatusServiceUnavailable, Header: http.Header{"Content-Type": {"application/xml"}}, Request: r,
			Body: io.NopCloser(strings.NewReader("<Error><Code>SlowDown</Code><Message>not now</Message></Error>")),
		}, nil
	}
	for _, c := range []struct {
		what     string
		answer   transport
		from, to time.Duration
	}{
		{"nobody is there", func(*http.Request) (*http.Response, error) { return nil, refused }, 10 * time.Second, 31 * time.Second},
		{"somebody is busy", down, 3 * time.Minute, 5*time.Minute + time.Second},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Setenv("AWS_ACCESS_KEY_ID", "key")
			t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
			synctest.Test(t, func(t *testing.T) { // the clock is the bubble's own
				o, err := s3.Parse("s3://bucket/prefix?endpoint=http://127.0.0.1:1&region=us-east-1")
				if err != nil {
					t.Fatal(err)
				}
				o.Transport = c.answer
				b, err := s3.New(o)
				if err != nil {
					t.Fatal(err)
				}
				begun := time.Now()
				_, err = b.Open(t.Context(), "key")
				if took := time.Since(begun); err == nil || took < c.from || took > c.to {
					t.Errorf("it gave up after %v with %v; want between %v and %v", took, err, c.from, c.to)
				}
			})
		})
	}
}
