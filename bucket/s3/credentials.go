package s3

import (
	"errors"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/holdfast-backup/holdfast"
)

// roleVariables are set where the machine's surroundings hand out credentials.
var roleVariables = []string{"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"}

// metadataTimeout bounds the question to a machine's own service for roles,
// which nobody answers outside of a cloud.
const metadataTimeout = 5 * time.Second

// chain is the usual order in which credentials are looked for: environment,
// shared file, role. Unlike the library's it ends with an error, not with
// requests that nobody signs. A profile that is asked for by name is taken
// before everything else.
type chain struct {
	providers []credentials.Provider
	profile   string
	asked     bool // the environment names a role
	used      credentials.Provider
}

func newChain(o *Options, amazon bool) *chain {
	file := &credentials.FileAWSCredentials{Profile: o.Profile}
	if o.Profile != "" {
		return &chain{providers: []credentials.Provider{file}, profile: o.Profile}
	}
	c := &chain{providers: []credentials.Provider{&credentials.EnvAWS{}, file}}
	for _, name := range roleVariables {
		c.asked = c.asked || os.Getenv(name) != ""
	}
	// A machine's role is Amazon's; elsewhere the question would only take time.
	if c.asked || amazon && !strings.EqualFold(os.Getenv("AWS_EC2_METADATA_DISABLED"), "true") {
		c.providers = append(c.providers, &credentials.IAM{Client: &http.Client{Timeout: metadataTimeout}})
	}
	return c
}

// RetrieveWithCredContext implements credentials.Provider.
func (c *chain) RetrieveWithCredContext(ctx *credentials.CredContext) (credentials.Value, error) {
	var last error
	for _, p := range c.providers {
		v, err := p.RetrieveWithCredContext(ctx)
		if err == nil && v.AccessKeyID != "" && v.SecretAccessKey != "" {
			c.used = p
			return v, nil
		}
		last = err
	}
	return credentials.Value{}, c.absent(last)
}

// errNoCredentials is worth no second try.
var errNoCredentials = errors.New("no credentials")

func (c *chain) absent(last error) error {
	e := &holdfast.Error{
		Op:   "sign in",
		Err:  holdfast.Kindf(errNoCredentials, "no credentials found in the environment, the shared credentials file or a role of this machine"),
		Hint: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a section of ~/.aws/credentials with profile= in the URL",
	}
	switch {
	case c.profile != "":
		e.Err = holdfast.Kindf(errNoCredentials, "the shared credentials file has no keys for the profile %s", c.profile)
		e.Hint = "look at ~/.aws/credentials, or at the file that AWS_SHARED_CREDENTIALS_FILE names"
	case c.asked && last != nil:
		e.Err = holdfast.Kindf(errNoCredentials, "the environment names a role, but it gives no credentials: %w", last)
		e.Hint = "look at " + strings.Join(roleVariables, ", ")
	}
	return e
}

// Retrieve implements credentials.Provider.
func (c *chain) Retrieve() (credentials.Value, error) { return c.RetrieveWithCredContext(nil) }

// IsExpired implements credentials.Provider.
func (c *chain) IsExpired() bool { return c.used == nil || c.used.IsExpired() }
