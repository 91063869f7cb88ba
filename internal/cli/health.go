package cli

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
)

type healthCmd struct {
	URL string `arg:"" optional:"" name:"url" help:"Where holdfast serve answers (default: the address that the configuration names)."`
}

func (healthCmd) about() about {
	return about{
		text: `Asks the holdfast serve of this configuration whether it is alive, for container
platforms whose images have no other program to ask with. It says nothing of the
data: that is what holdfast status does.`,
		examples: []example{{"holdfast health", "in the HEALTHCHECK of an image"}},
	}
}

// healthObject is the outcome of health.
type healthObject struct {
	Type  string `json:"type"` // health
	URL   string `json:"url"`
	Alive bool   `json:"alive"`
}

// healthTimeout is longer than a living daemon ever takes.
const healthTimeout = 4 * time.Second

// Run asks.
func (c *healthCmd) Run(ctx context.Context, a *app) error {
	address, err := c.address(a)
	if err != nil {
		return err
	}
	out := healthObject{Type: "health", URL: address}
	if err := askHealth(ctx, address); err != nil {
		return &holdfast.Error{Op: "health", Object: address, Err: err, Hint: "is `holdfast serve` running? Its log tells more"}
	}
	out.Alive = true
	a.ui.tell(out, func() { a.ui.print("holdfast serve at %s is alive.\n", clean(address)) })
	return nil
}

// address is what is asked: /healthz of the URL, or of what is configured.
func (c *healthCmd) address(a *app) (string, error) {
	base := c.URL
	if base == "" {
		cfg, err := a.config()
		if err != nil {
			return "", err
		}
		if cfg.Serve.Listen == "" {
			return "", usagef("name a URL, or set serve.listen", "holdfast serve does not listen here: serve.listen is off")
		}
		base = served(cfg.Serve)
	}
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return "", usagef("such as http://127.0.0.1:8484", "this is not a URL of holdfast serve: %s", base)
	}
	return strings.TrimSuffix(u.Scheme+"://"+u.Host+u.Path, "/") + "/healthz", nil
}

// served is the URL at which this machine reaches the daemon.
func served(s config.Serve) string {
	host, port, _ := net.SplitHostPort(s.Listen) // which was checked
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip != nil && ip.To4() == nil {
			host = "::1"
		}
	}
	scheme := "http"
	if s.TLSCert != "" {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// askHealth asks one address. Nothing that is answered is believed beyond "alive", and
// nothing is sent, so that a certificate for another name does not matter.
func askHealth(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	client := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(req)
	if err != nil {
		if u, ok := err.(*url.Error); ok {
			err = u.Err // the URL is named already
		}
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s: %s", res.Status, strings.Join(strings.Fields(string(body)), " "))
	}
	return nil
}
