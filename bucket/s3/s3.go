// Package s3 is a bucket in any S3-compatible object storage: every object of
// the repository is one object there, every key its key below the prefix.
//
// Start from [Parse], which reads "s3://bucket/prefix?endpoint=…", and [New].
//
// A tree is written straight to its final keys and counts from the moment that
// its marker is replaced by one conditional request; until then an entry below
// .holdfast/stages hides it. The same request fences a writer that was paused:
// whoever takes the lease over replaces what the request is conditional on.
// DESIGN.md beside this file tells the order of all requests, what a cut leaves
// at each point, and which races remain.
//
// Uploads stream with bounded memory and carry checksums; reading is by ranges
// of the one version that was opened. Everything is retried, with care where an
// earlier attempt may have been carried out although its answer was lost.
package s3

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

var _ bucket.Bucket = (*Bucket)(nil)

// Where the bucket keeps what is no object of its users.
const (
	ownFolder   = ".holdfast"
	leaseKey    = ".holdfast/lease.json"
	stagesDir   = ".holdfast/stages/"  // one entry for each tree that is not whole
	scratchDir  = ".holdfast/scratch/" // what will never be shown
	amazonHost  = "s3.amazonaws.com"
	anyRegion   = "us-east-1" // what services without regions answer to
	partsAtOnce = 2
)

// Bucket keeps objects below a prefix of a bucket. Make one with New.
type Bucket struct {
	o    Options
	core *minio.Core

	answered atomic.Bool // the service has been heard of

	uploads chan struct{} // a token for each part on its way
	spare   chan []byte   // buffers of parts

	mu      sync.Mutex
	lease   *lease            // the last one taken; nil if none was
	proven  bool              // the service heeds conditions
	seen    observation       // of somebody else's lease
	staged  map[string]*stage // by prefix: those of this process that own their prefix
	readers map[string]map[*object]bool
	pending map[string]bool // ids of uploads of this process
}

// New makes a bucket. It talks to nobody yet.
func New(o Options) (*Bucket, error) {
	if o.LeaseTTL == 0 {
		o.LeaseTTL = defaultLease
	}
	if o.Deadline == 0 {
		o.Deadline = 5 * time.Minute
	}
	if o.PartSize == 0 {
		o.PartSize = defaultPart
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	core, err := connect(&o)
	if err != nil {
		return nil, err
	}
	return &Bucket{
		o: o, core: core, uploads: make(chan struct{}, partsAtOnce), spare: make(chan []byte, partsAtOnce),
		staged: map[string]*stage{}, readers: map[string]map[*object]bool{}, pending: map[string]bool{},
	}, nil
}

func connect(o *Options) (*minio.Core, error) {
	host, secure := amazonHost, true
	if o.Endpoint != "" {
		u, err := url.Parse(o.Endpoint)
		if err != nil {
			return nil, refuse(o.name(), "the endpoint is not understood", "write endpoint=https://host:port")
		}
		host, secure = u.Host, u.Scheme == "https"
	}
	amazon := strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn")
	region := o.Region
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		if region == "" {
			region = os.Getenv(name)
		}
	}
	if region == "" && !amazon {
		region = anyRegion
	}
	transport := o.Transport
	if transport == nil {
		var err error
		if transport, err = newTransport(o); err != nil {
			return nil, err
		}
	}
	lookup := map[PathStyle]minio.BucketLookupType{PathYes: minio.BucketLookupPath, PathNo: minio.BucketLookupDNS}[o.PathStyle]
	core, err := minio.NewCore(host, &minio.Options{
		Creds:        credentials.New(newChain(o, amazon)),
		Secure:       secure,
		Region:       region,
		BucketLookup: lookup,
		Transport:    transport,
		MaxRetries:   1, // retry knows which attempts were ambiguous
	})
	if err != nil {
		return nil, &holdfast.Error{Op: "open", Object: o.name(), Err: holdfast.Kindf(holdfast.ErrUsage, "%w", err), Hint: "write endpoint=https://host:port"}
	}
	core.SetAppInfo("holdfast", "1")
	return core, nil
}

// newTransport makes connections that give up on a service that says nothing.
func newTransport(o *Options) (http.RoundTripper, error) {
	pool, err := o.certificates()
	if err != nil {
		return nil, err
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	t.MaxIdleConnsPerHost = 16
	t.ResponseHeaderTimeout = 2 * time.Minute
	t.DisableCompression = true // what is stored is what is read
	return t, nil
}

// Location implements bucket.Bucket.
func (b *Bucket) Location() string { return b.o.String() }

// Remote tells that reading is a download.
func (b *Bucket) Remote() bool { return true }

// Free implements bucket.Bucket; no service tells.
func (b *Bucket) Free(ctx context.Context) (int64, bool, error) {
	if ctx.Err() != nil {
		return 0, false, context.Cause(ctx)
	}
	return 0, false, nil
}

// at gives the key in the service of a key of ours.
func (b *Bucket) at(key string) string { return path.Join(b.o.Prefix, key) }

// below gives the prefix in the service of a prefix of ours, which need not be
// a whole element.
func (b *Bucket) below(prefix string) string {
	if b.o.Prefix == "" {
		return prefix
	}
	return b.o.Prefix + "/" + prefix
}

// begin looks at what can stop an operation on key before it starts.
func (b *Bucket) begin(ctx context.Context, key string) error {
	if err := bucket.CheckKey(key); err != nil {
		return err
	}
	if reserved(key) {
		return &holdfast.Error{Op: "object", Object: key, Err: holdfast.Kindf(holdfast.ErrUsage, "the name is reserved")}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// reserved tells whether a key is one of those that the bucket keeps for itself.
func reserved(key string) bool {
	return key == ownFolder || key == leaseKey || strings.HasPrefix(key+"/", stagesDir) || strings.HasPrefix(key+"/", scratchDir)
}
