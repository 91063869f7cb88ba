package access

import (
	"net"
	"net/http"
	"time"
)

// secureCookie begins the names of cookies that a browser keeps for this host alone, and
// sends through TLS only.
const secureCookie = "__Host-"

// mostKeys bounds the cookies of one name that are looked at.
const mostKeys = 4

// secure tells whether the browser came through TLS: ours, or that of a reverse proxy,
// which says so. Who says so without one harms himself only.
func secure(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}

// cookieName names the cookie of a session. Browsers do not tell ports apart, so it
// has that of the door: another daemon on this machine is another door.
func cookieName(r *http.Request) string {
	name := "holdfast"
	if _, port, err := net.SplitHostPort(r.Host); err == nil && port != "" {
		name += "_" + port
	}
	if secure(r) {
		name = secureCookie + name
	}
	return name
}

// sessionKeys gives what cookies of our name hold. Something else under this host name
// may have set one beside ours.
func sessionKeys(r *http.Request) []string {
	var keys []string
	for _, c := range r.CookiesNamed(cookieName(r)) {
		if c.Value != "" && len(keys) < mostKeys {
			keys = append(keys, c.Value)
		}
	}
	return keys
}

// setCookie gives a browser the key of its session.
func setCookie(w http.ResponseWriter, r *http.Request, key string, lifetime time.Duration) {
	c := sessionCookie(r)
	c.Value, c.MaxAge = key, int(lifetime/time.Second)
	http.SetCookie(w, c)
}

// dropCookie takes it back.
func dropCookie(w http.ResponseWriter, r *http.Request) {
	c := sessionCookie(r)
	c.MaxAge = -1
	http.SetCookie(w, c)
}

func sessionCookie(r *http.Request) *http.Cookie {
	return &http.Cookie{Name: cookieName(r), Path: "/", HttpOnly: true, Secure: secure(r), SameSite: http.SameSiteLaxMode}
}
