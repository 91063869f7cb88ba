package s3

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7/pkg/s3utils"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/internal/nearest"
)

// A PathStyle tells where the bucket's name stands in the address of a request.
type PathStyle string

// The styles of addresses. Auto takes host names for the services that are
// known to have them and paths for all others.
const (
	PathAuto PathStyle = "auto"
	PathYes  PathStyle = "true"
	PathNo   PathStyle = "false"
)

// A LockMode is a kind of retention: governance can be lifted by those who have
// the permission, compliance by nobody.
type LockMode string

// The modes of retention.
const (
	Governance LockMode = "governance"
	Compliance LockMode = "compliance"
)

// Options say which bucket is meant and how it is talked to. Parse makes them
// of a URL; the fields below the line are for programs and tests.
type Options struct {
	Bucket       string
	Prefix       string // without slashes at its ends; "" is the whole bucket
	Endpoint     string // "https://host:port"; "" is Amazon's
	Region       string
	PathStyle    PathStyle
	CAFile       string // further certificates to trust, PEM
	StorageClass string
	LockMode     LockMode      // "" locks nothing
	LockFor      time.Duration // whole days
	Profile      string        // of the shared credentials file
	NoLease      bool          // one writer only, and the caller sees to that
	PartSize     int64         // of large uploads, in bytes; 0 is 8 MiB

	// LeaseTTL is how long the lease outlives its owner; 0 is a minute.
	LeaseTTL time.Duration
	// Deadline is how long one request is tried for; 0 is five minutes. A
	// service that has never answered is given up after half a minute.
	Deadline time.Duration
	// Now is the wall clock; nil is time.Now.
	Now func() time.Time
	// Transport carries the requests; nil is one that is made for this.
	Transport http.RoundTripper
}

// parameters are those of a URL, in the order of the documentation.
var parameters = []string{"endpoint", "region", "path_style", "ca_file", "storage_class", "object_lock", "profile", "lease", "part_size"}

// secretParameters are what people try to put into a URL.
var secretParameters = []string{"access_key", "access_key_id", "accesskey", "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "password", "secret", "secret_access_key", "secret_key", "secretkey", "session_token", "token"}

const (
	minPart     = 5 << 20 // every service's own limit
	defaultPart = 8 << 20
	maxPart     = 64 << 20
	day         = 24 * time.Hour

	defaultLease = time.Minute
	minLease     = 2 * time.Second // less than an answer may take is no lease
	maxLease     = time.Hour
)

// Parse reads "s3://bucket/prefix?endpoint=https://host:port&region=…". Secrets
// have no place in it: they come from the environment, the shared credentials
// file or the machine's role.
func Parse(raw string) (Options, error) {
	u, err := url.Parse(raw)
	if err != nil {
		// The parser's error quotes the URL, which may hold a secret.
		return Options{}, refuse("s3 URL", "it cannot be read as a URL", "write s3://bucket/prefix?endpoint=https://host:port&region=…")
	}
	if u.Scheme != "s3" {
		return Options{}, refuse("s3 URL", "it does not begin with s3://", "write s3://bucket/prefix")
	}
	if u.User != nil {
		return Options{}, secretRefused("a user name or password")
	}
	o := Options{Bucket: u.Host, Prefix: strings.Trim(u.Path, "/"), PathStyle: PathAuto, PartSize: defaultPart}
	if err := s3utils.CheckValidBucketNameStrict(o.Bucket); err != nil {
		return Options{}, refuse("s3://"+o.Bucket, "not the name of a bucket: "+lowerFirst(err.Error()), "write s3://bucket/prefix")
	}
	if o.Prefix != "" {
		if err := bucket.CheckKey(o.Prefix); err != nil {
			return Options{}, err
		}
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Options{}, refuse(o.name(), "its parameters cannot be read", "write name=value, joined by &; escape other characters with %")
	}
	names := make([]string, 0, len(query))
	for name := range query {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := o.set(name, query[name]); err != nil {
			return Options{}, err
		}
	}
	return o, nil
}

// set takes one parameter.
func (o *Options) set(name string, values []string) error {
	if slices.Contains(secretParameters, strings.ToLower(name)) {
		return secretRefused("the parameter " + name)
	}
	if !slices.Contains(parameters, name) {
		hint := "the parameters are " + strings.Join(parameters, ", ")
		if near := nearest.To(name, parameters); near != "" {
			hint = "did you mean " + near + "? " + hint
		}
		return refuse(o.name(), fmt.Sprintf("unknown parameter %q", name), hint)
	}
	if len(values) != 1 {
		return refuse(o.name(), fmt.Sprintf("the parameter %s is given %d times", name, len(values)), "give it once")
	}
	value := values[0]
	bad := func(want string) error {
		return refuse(o.name(), fmt.Sprintf("%s=%s is not understood", name, value), "write "+want)
	}
	switch name {
	case "endpoint":
		return o.setEndpoint(value)
	case "region":
		o.Region = value
	case "path_style":
		o.PathStyle = PathStyle(value)
		if !slices.Contains([]PathStyle{PathAuto, PathYes, PathNo}, o.PathStyle) {
			return bad("path_style=true, false or auto")
		}
	case "ca_file":
		o.CAFile = value
	case "storage_class":
		o.StorageClass = value
	case "profile":
		o.Profile = value
	case "lease":
		if o.NoLease = value == "none"; o.NoLease {
			return nil
		}
		ttl, err := time.ParseDuration(value)
		if o.LeaseTTL = ttl; err != nil || ttl < minLease || ttl > maxLease {
			return bad(fmt.Sprintf("lease=none, or how long it outlives its owner: lease=%s to %s", short(minLease), short(maxLease)))
		}
	case "part_size":
		mib, err := strconv.ParseInt(strings.TrimSuffix(value, "MiB"), 10, 64)
		if o.PartSize = mib << 20; err != nil || o.PartSize < minPart || o.PartSize > maxPart {
			return bad(fmt.Sprintf("part_size=%dMiB to %dMiB", minPart>>20, maxPart>>20))
		}
	case "object_lock":
		mode, days, ok := strings.Cut(value, ":")
		n, err := strconv.Atoi(strings.TrimSuffix(days, "d"))
		o.LockMode, o.LockFor = LockMode(mode), time.Duration(n)*day
		known := o.LockMode == Governance || o.LockMode == Compliance
		if !ok || !known || err != nil || !strings.HasSuffix(days, "d") || n < 1 || n > 36500 {
			return bad("object_lock=governance:30d or object_lock=compliance:30d")
		}
	}
	return nil
}

func (o *Options) setEndpoint(value string) error {
	e, err := url.Parse(value)
	switch {
	case err == nil && e.User != nil:
		return secretRefused("a user name or password in the endpoint")
	case err != nil || e.Host == "" || e.Scheme != "https" && e.Scheme != "http":
		return refuse(o.name(), "the endpoint is not understood", "write endpoint=https://host:port")
	case e.Path != "" && e.Path != "/" || e.RawQuery != "" || e.Fragment != "":
		return refuse(o.name(), "an endpoint is a host, without a path", "write endpoint=https://host:port")
	}
	o.Endpoint = e.Scheme + "://" + e.Host
	return nil
}

// name is the short form of the place: s3://bucket/prefix.
func (o *Options) name() string {
	if o.Prefix == "" {
		return "s3://" + o.Bucket
	}
	return "s3://" + o.Bucket + "/" + o.Prefix
}

// String gives the URL that leads here again. It has no secrets, since options
// have none.
func (o *Options) String() string {
	q := url.Values{}
	add := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	add("endpoint", o.Endpoint)
	add("region", o.Region)
	if o.PathStyle != PathAuto {
		add("path_style", string(o.PathStyle))
	}
	add("ca_file", o.CAFile)
	add("storage_class", o.StorageClass)
	if o.LockMode != "" {
		add("object_lock", fmt.Sprintf("%s:%dd", o.LockMode, o.LockFor/day))
	}
	add("profile", o.Profile)
	switch {
	case o.NoLease:
		add("lease", "none")
	case o.LeaseTTL != 0 && o.LeaseTTL != defaultLease:
		add("lease", short(o.LeaseTTL))
	}
	if o.PartSize != 0 && o.PartSize != defaultPart {
		add("part_size", fmt.Sprintf("%dMiB", o.PartSize>>20))
	}
	u := url.URL{Scheme: "s3", Host: o.Bucket, Path: "/" + o.Prefix}
	if o.Prefix == "" {
		u.Path = ""
	}
	if len(q) > 0 {
		// Colons and slashes need no escape in a query, and people read this.
		u.RawQuery = strings.NewReplacer("%3A", ":", "%2F", "/").Replace(q.Encode())
	}
	return u.String()
}

// certificates gives the certificates to trust; nil are those of the system.
func (o *Options) certificates() (*x509.CertPool, error) {
	if o.CAFile == "" {
		return nil, nil
	}
	data, err := os.ReadFile(o.CAFile)
	if err != nil {
		return nil, &holdfast.Error{Op: "open", Object: o.name(), Err: err, Hint: "ca_file names a file of certificates in PEM form"}
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // the system has none: the file alone counts
	}
	if !pool.AppendCertsFromPEM(data) {
		return nil, refuse(o.CAFile, "no certificate in it", "ca_file names a file of certificates in PEM form")
	}
	return pool, nil
}

// short writes a duration without the units that are zero.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func secretRefused(what string) error {
	return refuse("s3 URL", "it holds "+what+", and a URL is no place for secrets",
		"put the keys into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or into the shared credentials file, and name its section with profile=")
}

func refuse(object, text, hint string) error {
	return &holdfast.Error{Op: "open", Object: object, Err: holdfast.Kindf(holdfast.ErrUsage, "%s", text), Hint: hint}
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
