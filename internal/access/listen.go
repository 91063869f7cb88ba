package access

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// resolveTimeout bounds the question whether a host name means loopback.
const resolveTimeout = 5 * time.Second

// Loopback tells whether an address can be reached from this machine only, for doors
// that are not this package's.
func Loopback(address string) bool { return isLoopback(address) }

// isLoopback tells whether an address can be reached from this machine only. A
// host name must mean nothing but loopback; one that cannot be resolved does not.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return false
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback()
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	for _, addr := range addrs {
		if !addr.Unmap().IsLoopback() {
			return false
		}
	}
	return err == nil && len(addrs) > 0
}

// MayListen judges an address (host:port) before the daemon listens on it.
// Beyond loopback it takes a password or at least one token that has not expired; where
// one is always required it takes one on loopback, too, since nobody could
// get in. That is so with TLS and without; what is allowed but unwise is told by
// Problems.
func (a *Access) MayListen(address string, _ bool) error {
	beyond := !isLoopback(address)
	if !beyond && !a.settings.Load().required {
		return nil
	}
	usable, err := a.tokens.usable()
	has, unknown := a.passwords.there()
	if err := cmp.Or(err, unknown); err != nil {
		return &holdfast.Error{Op: "listen on", Object: address, Err: err}
	}
	if usable || has {
		return nil
	}
	why := "serve.auth is required, and there is no password and no token that has not expired"
	if beyond {
		why = "others can reach it, and there is no password and no token that has not expired"
	}
	return &holdfast.Error{
		Op: "listen on", Object: address, Err: holdfast.Kindf(holdfast.ErrRefused, "%s", why),
		Hint: "create one first: `holdfast password set` for people (HOLDFAST_SERVE_PASSWORD in a container), `holdfast token create NAME --scope admin` for programs",
	}
}

// Problems are what is unwise, or wrong, about listening on an address: told at
// the start and as long as it lasts.
func (a *Access) Problems(address string, tls bool) []holdfast.Problem {
	var out []holdfast.Problem
	if !tls && !isLoopback(address) {
		out = append(out, holdfast.Problem{
			Severity: holdfast.Warning, Object: address,
			Message: "tokens and backups cross the network in the open: there is no TLS",
			Hint:    "set serve.tls_cert and serve.tls_key, or put a reverse proxy with TLS in front and let nothing else reach this port",
		})
	}
	_, err := a.tokens.List()
	_, unknown := a.passwords.there()
	for _, f := range []struct {
		name string
		err  error
	}{{a.tokens.file, err}, {a.passwords.file.name, unknown}} {
		if f.err != nil {
			out = append(out, holdfast.Problem{
				Severity: holdfast.Warning, Object: f.name,
				Message: "nobody is let in: " + f.err.Error(), Hint: holdfast.HintOf(f.err),
			})
		}
	}
	return out
}
