package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/adhocore/gronx"
)

// Serve configures the daemon's own door.
type Serve struct {
	Listen            string // host:port, empty: no HTTP at all
	TLSCert, TLSKey   string
	Hosts             []string // further names under which requests may come
	Auth              string   // AuthAuto …
	RequestsPerMinute int64    // of one client
	Password          string   // of the pages; empty: the one that was set, if any
	SessionIdle       time.Duration
	SessionLifetime   time.Duration
	ChromaProxies     []ChromaProxy
}

// The values of Serve.Auth.
const (
	AuthAuto     = "auto"     // needed as soon as there is a token, and beyond loopback
	AuthRequired = "required" // always
)

// A ChromaProxy is a door in front of a Chroma server.
type ChromaProxy struct {
	Listen   string
	Upstream string // http://host:port
}

// String writes it as it is configured.
func (p ChromaProxy) String() string { return p.Listen + "=" + p.Upstream }

// Proxy says when a Chroma proxy makes backups.
type Proxy struct {
	Burst     time.Duration // a pause of the writers that ends a burst
	MaxWait   time.Duration // how long a request waits for a backup
	OnFailure string        // ProxyRefuse …
}

// The values of Proxy.OnFailure.
const (
	ProxyRefuse = "refuse"
	ProxyPass   = "pass"
)

// Drill configures the restores that are made to prove a backup.
type Drill struct {
	Every         time.Duration // zero: never
	Timeout       time.Duration
	Dir           string // where the scratch copies are made; empty: the state directory
	ChromaCommand string // starts a Chroma server on a copy
}

// Verify says how often every byte of every backup is read again; zero is never.
type Verify struct {
	Every time.Duration
}

// Notify says who is told when something is wrong, and when it is.
type Notify struct {
	URLs        []string // of shoutrrr
	On          []string // AlarmKinds
	Silence     int64    // intervals without a success
	ReplicaLag  time.Duration
	LowSpaceMB  int64
	Repeat      time.Duration // of what goes on being wrong
	SendTimeout time.Duration
}

// AlarmKinds are what can be told of.
func AlarmKinds() []string {
	return []string{"failure", "silence", "damage", "unproven", "shrink", "replica", "space", "degraded", "wiped", "missing", "panel"}
}

// Ping names the URLs of a dead man's switch, which shouts when it hears nothing.
type Ping struct {
	URL                  string // the base: URL/start, URL, URL/fail
	Start, Success, Fail string // instead of those made from URL
	Timeout              time.Duration
}

// Webhooks are URLs that are told of every backup and restore.
type Webhooks struct {
	URLs    []string
	On      []string // WebhookEvents
	Secret  string   // signs what is sent
	Timeout time.Duration
}

// WebhookEvents are what a webhook can be told of.
func WebhookEvents() []string {
	return []string{"before_backup", "after_backup", "before_restore", "after_restore", "failure"}
}

// Log configures what a daemon writes to standard error.
type Log struct {
	Format string // text, json
	Level  string // debug, info, warn, error
}

// serveKeys are the settings of the daemon.
func serveKeys() []Key {
	return []Key{
		{
			Name: "serve.listen", Default: "127.0.0.1:8484",
			Doc:    "Address of the HTTP API of `holdfast serve`, or off. Beyond loopback it needs a token.",
			assign: address(func(c *Config) *string { return &c.Serve.Listen }),
		},
		{
			Name: "serve.tls_cert", path: true,
			Doc:    "File with the TLS certificate, and those above it; read again when it changes.",
			assign: text(func(c *Config) *string { return &c.Serve.TLSCert }),
		},
		{
			Name: "serve.tls_key", path: true,
			Doc:    "File with its private key.",
			assign: text(func(c *Config) *string { return &c.Serve.TLSKey }),
		},
		{
			Name: "serve.hosts", list: true,
			Doc:    "Further host names under which the API may be asked, such as that of a reverse proxy; without them only the address that it listens on.",
			assign: words(func(c *Config) *[]string { return &c.Serve.Hosts }),
		},
		{
			Name: "serve.auth", Default: AuthAuto,
			Doc:    "When a request needs a token: auto (as soon as there is one, and beyond loopback), required (always).",
			assign: oneOf(func(c *Config) *string { return &c.Serve.Auth }, AuthAuto, AuthRequired),
		},
		{
			Name: "serve.requests_per_minute", Default: "1200",
			Doc:    "How many requests of one client are answered in a minute.",
			assign: count(func(c *Config) *int64 { return &c.Serve.RequestsPerMinute }, 1),
		},
		{
			Name: "serve.password", EnvOnly: true, secret: true,
			Doc:    "Password of the pages in a browser, for containers; without it `holdfast password set` or the page itself sets one.",
			assign: password(func(c *Config) *string { return &c.Serve.Password }),
		},
		{
			Name: "serve.session_idle", Default: "12h",
			Doc:    "After which time without a click a browser must log in again.",
			assign: atLeast(func(c *Config) *time.Duration { return &c.Serve.SessionIdle }, time.Minute),
		},
		{
			Name: "serve.session_lifetime", Default: "7d",
			Doc:    "After which time it must log in again in any case.",
			assign: atLeast(func(c *Config) *time.Duration { return &c.Serve.SessionLifetime }, time.Minute),
		},
		{
			Name: "serve.chroma_proxy", list: true,
			Doc:    "LISTEN=UPSTREAM: a proxy in front of a Chroma server that makes a backup before writes and deletions, such as 127.0.0.1:8001=http://127.0.0.1:8000.",
			assign: chromaProxies,
		},
		{
			Name: "serve.proxy_burst", Default: "5m",
			Doc:    "A pause of this length ends a burst of writes: the next write is preceded by a backup again.",
			assign: duration(func(c *Config) *time.Duration { return &c.Proxy.Burst }),
		},
		{
			Name: "serve.proxy_max_wait", Default: "2m",
			Doc:    "How long a write waits for that backup before it counts as failed.",
			assign: duration(func(c *Config) *time.Duration { return &c.Proxy.MaxWait }),
		},
		{
			Name: "serve.proxy_on_failure", Default: ProxyRefuse,
			Doc:    "What becomes of the write if the backup fails: refuse, pass.",
			assign: oneOf(func(c *Config) *string { return &c.Proxy.OnFailure }, ProxyRefuse, ProxyPass),
		},
		{
			Name: "drill.every", Default: "7d",
			Doc:    "How often `holdfast serve` restores the newest backup into scratch space to prove it; off never does.",
			assign: durationOrOff(func(c *Config) *time.Duration { return &c.Drill.Every }),
		},
		{
			Name: "drill.timeout", Default: "1h",
			Doc:    "How long a drill may take.",
			assign: duration(func(c *Config) *time.Duration { return &c.Drill.Timeout }),
		},
		{
			Name: "drill.dir", path: true,
			Doc:    "Directory of the scratch copies, which are removed afterwards; by default one beside the restore journal.",
			assign: text(func(c *Config) *string { return &c.Drill.Dir }),
		},
		{
			Name:   "drill.chroma_command",
			Doc:    `Command that starts a Chroma server on a restored copy, which a drill then asks: chroma run --path "$CHROMA_PATH" --host 127.0.0.1 --port "$CHROMA_PORT".`,
			assign: text(func(c *Config) *string { return &c.Drill.ChromaCommand }),
		},
		{
			Name: "verify.every", Default: "30d",
			Doc:    "Within which time `holdfast serve` reads every byte of every backup again; off leaves it to the newest one.",
			assign: durationOrOff(func(c *Config) *time.Duration { return &c.Verify.Every }),
		},
		{
			Name: "notify.urls", list: true, secret: true,
			Doc:    "Who is told when something is wrong: URLs of shoutrrr, such as smtp://…, ntfy://…, telegram://…, discord://…, slack://….",
			assign: urls(func(c *Config) *[]string { return &c.Notify.URLs }),
		},
		{
			Name: "notify.on", list: true,
			Doc:    "What they are told of, and of its end (default: all): " + strings.Join(AlarmKinds(), ", ") + ".",
			assign: someOf(func(c *Config) *[]string { return &c.Notify.On }, AlarmKinds()),
		},
		{
			Name: "notify.silence", Default: "3",
			Doc:    "After how many intervals without a successful backup.",
			assign: count(func(c *Config) *int64 { return &c.Notify.Silence }, 1),
		},
		{
			Name: "notify.replica_lag", Default: "24h",
			Doc:    "How long a replica may lack a backup.",
			assign: duration(func(c *Config) *time.Duration { return &c.Notify.ReplicaLag }),
		},
		{
			Name: "notify.low_space_mb", Default: "1024",
			Doc:    "How much room must be left for the repository.",
			assign: count(func(c *Config) *int64 { return &c.Notify.LowSpaceMB }, 0),
		},
		{
			Name: "notify.repeat", Default: "24h",
			Doc:    "How often they are reminded of what goes on being wrong; an hour at least.",
			assign: atLeast(func(c *Config) *time.Duration { return &c.Notify.Repeat }, time.Hour),
		},
		{
			Name: "notify.timeout", Default: "30s",
			Doc:    "How long telling one of them may take.",
			assign: duration(func(c *Config) *time.Duration { return &c.Notify.SendTimeout }),
		},
		{
			Name: "ping.url", secret: true,
			Doc:    "URL of a dead man's switch: it gets URL/start before a backup, URL after a success and URL/fail after a failure, with the log.",
			assign: secretURL(func(c *Config) *string { return &c.Ping.URL }),
		},
		{
			Name: "ping.start", secret: true,
			Doc:    "Instead of URL/start; off sends none.",
			assign: secretURLOrOff(func(c *Config) *string { return &c.Ping.Start }),
		},
		{
			Name: "ping.success", secret: true,
			Doc:    "Instead of URL.",
			assign: secretURLOrOff(func(c *Config) *string { return &c.Ping.Success }),
		},
		{
			Name: "ping.fail", secret: true,
			Doc:    "Instead of URL/fail; off sends none.",
			assign: secretURLOrOff(func(c *Config) *string { return &c.Ping.Fail }),
		},
		{
			Name: "ping.timeout", Default: "10s",
			Doc:    "How long each ping may take.",
			assign: duration(func(c *Config) *time.Duration { return &c.Ping.Timeout }),
		},
		{
			Name: "webhooks.urls", list: true, secret: true,
			Doc:    "URLs that get a JSON object before and after every backup and restore.",
			assign: urls(func(c *Config) *[]string { return &c.Webhooks.URLs }),
		},
		{
			Name: "webhooks.on", list: true,
			Doc:    "What they get (default: all): " + strings.Join(WebhookEvents(), ", ") + ".",
			assign: someOf(func(c *Config) *[]string { return &c.Webhooks.On }, WebhookEvents()),
		},
		{
			Name: "webhooks.secret", EnvOnly: true,
			Doc:    "Key that signs what they get (HMAC-SHA256).",
			assign: text(func(c *Config) *string { return &c.Webhooks.Secret }),
		},
		{
			Name: "webhooks.timeout", Default: "10s",
			Doc:    "How long each may take.",
			assign: duration(func(c *Config) *time.Duration { return &c.Webhooks.Timeout }),
		},
		{
			Name: "log.format", Default: "text",
			Doc:    "Form of the log of `holdfast serve`: text, json.",
			assign: oneOf(func(c *Config) *string { return &c.Log.Format }, "text", "json"),
		},
		{
			Name: "log.level", Default: "info",
			Doc:    "Least level of what it logs: debug, info, warn, error.",
			assign: oneOf(func(c *Config) *string { return &c.Log.Level }, "debug", "info", "warn", "error"),
		},
	}
}

// off switches a setting off.
const off = "off"

// PingOff is the value of a ping that is not sent.
const PingOff = off

func address(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, raw string) error {
		if strings.EqualFold(raw, off) {
			*field(c) = ""
			return nil
		}
		if err := checkAddress(raw); err != nil {
			return err
		}
		*field(c) = raw
		return nil
	}
}

func checkAddress(raw string) error {
	host, port, err := net.SplitHostPort(raw)
	if _, portErr := net.LookupPort("tcp", port); err != nil || portErr != nil || strings.ContainsAny(host, "/ ") {
		return fmt.Errorf("%q is not an address such as 127.0.0.1:8484", raw)
	}
	return nil
}

// chromaProxies reads the proxies.
func chromaProxies(c *Config, raw string) error {
	c.Serve.ChromaProxies = nil
	for _, part := range fields(raw) {
		listen, upstream, found := strings.Cut(part, "=")
		if !found {
			return fmt.Errorf("%q is not LISTEN=UPSTREAM, such as 127.0.0.1:8001=http://127.0.0.1:8000", part)
		}
		if err := checkAddress(listen); err != nil {
			return err
		}
		u, err := url.Parse(upstream)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
			return fmt.Errorf("the upstream of %q is not a URL such as http://127.0.0.1:8000", part)
		}
		c.Serve.ChromaProxies = append(c.Serve.ChromaProxies, ChromaProxy{Listen: listen, Upstream: u.Scheme + "://" + u.Host})
	}
	return nil
}

// fields splits a list of values that hold no white space.
func fields(raw string) []string {
	var out []string
	for _, part := range strings.Fields(raw) {
		if part = strings.TrimSuffix(part, ","); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// errSecretURL says nothing of the value: it may hold a password.
var errSecretURL = errors.New("the value is not a URL with a scheme and a host")

func urls(field func(*Config) *[]string) func(*Config, string) error {
	return func(c *Config, raw string) error {
		all := fields(raw)
		for _, one := range all {
			if u, err := url.Parse(one); err != nil || u.Scheme == "" {
				return errSecretURL
			}
		}
		*field(c) = all
		return nil
	}
}

func secretURL(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, raw string) error {
		if u, err := url.Parse(raw); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return errSecretURL
		}
		*field(c) = raw
		return nil
	}
}

func secretURLOrOff(field func(*Config) *string) func(*Config, string) error {
	read := secretURL(field)
	return func(c *Config, raw string) error {
		if strings.EqualFold(raw, off) {
			*field(c) = PingOff
			return nil
		}
		return read(c, raw)
	}
}

func atLeast(field func(*Config) *time.Duration, least time.Duration) func(*Config, string) error {
	read := duration(field)
	return func(c *Config, raw string) error {
		if err := read(c, raw); err != nil {
			return err
		}
		if *field(c) < least {
			return fmt.Errorf("%s is less than %s", raw, least)
		}
		return nil
	}
}

// someOf reads a list of known words.
func someOf(field func(*Config) *[]string, known []string) func(*Config, string) error {
	read := words(field)
	return func(c *Config, raw string) error {
		if err := read(c, raw); err != nil {
			return err
		}
		for _, word := range *field(c) {
			if !slices.Contains(known, word) {
				return fmt.Errorf("%q is none of %s", word, strings.Join(known, ", "))
			}
		}
		return nil
	}
}

// crons reads expressions of cron, which hold spaces: several are separated by a
// semicolon, or are a list in the file.
func crons(field func(*Config) *[]string) func(*Config, string) error {
	return func(c *Config, raw string) error {
		var all []string
		for _, part := range strings.FieldsFunc(strings.ReplaceAll(raw, ", ", ";"), func(r rune) bool { return r == ';' || r == '\n' }) {
			expression := strings.Join(strings.Fields(part), " ")
			if expression == "" {
				continue
			}
			if n := len(strings.Fields(expression)); !gronx.IsValid(expression) || n != 5 && n != 1 {
				return fmt.Errorf("%q is not an expression of cron such as 0 3 * * * (minute hour day month weekday, in UTC)", expression)
			}
			all = append(all, expression)
		}
		*field(c) = all
		return nil
	}
}

// settleServe judges the settings of the daemon together.
func (c *Config) settleServe(faults *layer) {
	if (c.Serve.TLSCert == "") != (c.Serve.TLSKey == "") {
		faults.fault("serve", "name both files, or neither", "serve.tls_cert and serve.tls_key belong together")
	}
	if len(c.Notify.On) == 0 {
		c.Notify.On = AlarmKinds()
	}
	if len(c.Webhooks.On) == 0 {
		c.Webhooks.On = WebhookEvents()
	}
}
