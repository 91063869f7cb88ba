package access

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// hostName makes names comparable: lower case, without port, brackets and the
// dot at the end; an address in its shortest form.
func hostName(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().WithZone("").String()
	}
	return host
}

// serves tells whether a request may come under its Host. A web page can make
// its own name point at us (DNS rebinding), and is then of the same origin as
// its requests; what gives it away is that name. An address is nobody's name: a
// page under an address comes from there. So addresses are only refused where we
// listen on loopback, and nobody has a reason to use another.
func (s *settings) serves(r *http.Request) bool {
	if r.Host == "" || strings.ContainsAny(r.Host, "/@\\ \t,") || strings.HasPrefix(r.Host, "[") != strings.Contains(r.Host, "]") {
		return false
	}
	name := hostName(r.Host)
	if name == "localhost" || slices.Contains(s.hosts, name) {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && !addr.IsUnspecified() && (addr.IsLoopback() || !s.loopback)
}
