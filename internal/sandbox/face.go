package sandbox

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// handler is the one face of the listener: who is asked for, then record, faults and answer.
func (s *Sandbox) handler() http.Handler {
	control, pages := s.controlFace(), s.pages()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		if path == "/_control" || strings.HasPrefix(path, "/_control/") {
			control.ServeHTTP(w, r)
			return
		}
		s.serveRecorded(w, r, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.HasPrefix(path, "/stores/"):
				s.serveAPI(w, r)
			case path == "/graphql" || (strings.HasPrefix(path, "/storefront/") && strings.HasSuffix(path, "/graphql")):
				s.serveStorefront(w, r)
			default:
				pages.ServeHTTP(w, r)
			}
		})
	})
}

// serveRecorded keeps the request before anything answers it.
func (s *Sandbox) serveRecorded(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
	body, truncated, err := readBody(r)
	entry := s.received.note(r, body, truncated, s.clock.Now())
	answer := &statusWriter{ResponseWriter: w}
	defer func() { s.received.answered(entry, answer.status) }()
	if err != nil {
		send(answer, r, refuse(http.StatusBadRequest, wordsBadInput))
		return
	}
	if truncated {
		answer.Header().Set("Connection", "close")
		send(answer, r, refuse(http.StatusRequestEntityTooLarge, "Request Entity Too Large"))
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if f := s.faults.take(r); f != nil {
		s.serveFaulty(answer, r, f, next)
		return
	}
	next(answer, r)
}

// localOnly lets through what this machine's own programs and pages ask: a Host that names
// loopback (a rebound DNS name does not), and no page of another site.
func localOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !isLoopbackHost(r.Host):
			tell(w, &controlError{http.StatusForbidden, "host_not_allowed",
				"this face answers to localhost and loopback addresses only"})
		case crossSite(r):
			tell(w, &controlError{http.StatusForbidden, "cross_site",
				"a page of another site may not use this face; use curl or a test"})
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func isLoopbackHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() && ip.Zone() == ""
}

// crossSite goes by what browsers say of themselves; other programs say nothing.
func crossSite(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return true
	}
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return false
	}
	u, err := url.Parse(origins[0])
	return err != nil || len(origins) > 1 || !strings.EqualFold(u.Host, r.Host)
}
