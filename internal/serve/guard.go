package serve

import (
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Guard says who may talk to a local door. A port of this machine is a public place: every
// program and every web page in the user's browser can send requests to it.
type Guard struct {
	Addr         net.Addr // the listener's address
	Hosts        []string // more Host values that are ours, lower case, with port
	AllowOrigins []string // exact browser origins that may call, e.g. "http://localhost:3000"
	Key          string
	KeyRequired  bool                                              // every path begins with /k/<Key>
	Refused      func(r *http.Request, code, message, hint string) // told of every refusal, keys out of sight; may be nil
}

// LocalOnly lets to next only what the guard approves of, and answers the rest. The order
// matters: a rebound DNS name makes a hostile page look same-origin, so Host is checked before
// anything is believed about origins. GET is guarded like every other method: an image tag of
// another site must not reach an API that answers with a store's data.
//
// A request line with an absolute URI of our own passes as it is. The key is cut off the path, and
// a Referer with it off the header, before next sees the request.
func LocalOnly(g Guard, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if no := g.judge(r); no != nil {
			g.refuse(w, r, *no)
			return
		}
		origin := r.Header.Get("Origin")
		shared := origin != "" && slices.Contains(g.AllowOrigins, strings.ToLower(origin))
		if shared && r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			preflight(w, r, origin)
			return
		}
		inner, no := g.unlock(r)
		if shared {
			w = &sharedWriter{ResponseWriter: w, origin: origin}
		}
		if no != nil {
			g.refuse(w, r, *no)
			return
		}
		next.ServeHTTP(w, inner)
	})
}

func (g Guard) refuse(w http.ResponseWriter, r *http.Request, no refusal) {
	if no.code == connectNotHere.code {
		w.Header().Set("Connection", "close")
	}
	if g.Refused != nil {
		g.Refused(keyless(r), no.code, no.message, no.hint)
	}
	Refuse(w, no.status, no.code, no.message, no.hint)
}

// keyless is r for people to read about: a key in the path, even a wrong one, is not shown.
func keyless(r *http.Request) *http.Request {
	rest, keyed := strings.CutPrefix(r.URL.Path, keyPrefix)
	if !keyed {
		return r
	}
	_, path, _ := strings.Cut(rest, "/")
	shown := r.WithContext(r.Context())
	shown.URL = &url.URL{Path: keyPrefix + "***/" + path}
	shown.RequestURI = shown.URL.Path
	return shown
}

// judge checks everything but the key.
func (g Guard) judge(r *http.Request) *refusal {
	switch {
	case r.Method == http.MethodConnect:
		return &connectNotHere
	case r.Host == "":
		return &badHost
	case !g.ours(r) && r.URL.IsAbs():
		return &absoluteForm
	case !g.ours(r):
		return &hostNotAllowed
	case g.tunnelled(r):
		return &tunnelledRequest
	case g.crossSite(r):
		return &crossSite
	}
	return nil
}

// ours reports that the request was addressed to this door: the whole Host, port included.
func (g Guard) ours(r *http.Request) bool {
	if r.URL.IsAbs() && r.URL.Scheme != "http" {
		return false
	}
	host := strings.ToLower(r.Host)
	if slices.Contains(g.Hosts, host) {
		return true
	}
	if g.Addr != nil && g.Addr.Network() == "unix" {
		return localName(host) // a socket has no port
	}
	// With --allow-lan, Addr may be 0.0.0.0; the address that was really dialled is an IP, which
	// no DNS name can pretend to be.
	dialled, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	for _, addr := range []net.Addr{g.Addr, dialled} {
		if tcp, ok := addr.(*net.TCPAddr); ok && (g.local(host, tcp) || dialledAs(host, tcp)) {
			return true
		}
	}
	return false
}

func (g Guard) local(host string, addr *net.TCPAddr) bool {
	name, port := splitHost(host)
	return port == strconv.Itoa(addr.Port) && (name == "localhost" || name == "127.0.0.1" || name == "[::1]")
}

func dialledAs(host string, addr *net.TCPAddr) bool {
	return !addr.IP.IsUnspecified() && addr.IP != nil && host == net.JoinHostPort(addr.IP.String(), strconv.Itoa(addr.Port))
}

// splitHost cuts a Host into name and port; without a port, http means 80.
func splitHost(host string) (name, port string) {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		return host[:i], host[i+1:]
	}
	return host, "80"
}

func localName(host string) bool {
	name, _ := splitHost(host)
	return name == "localhost" || name == "127.0.0.1" || name == "[::1]"
}

// tunnelled reports that the request came from outside although its Host is ours: a tunnel was
// pointed at this door and rewrites Host. ngrok adds X-Forwarded-Host, cloudflared Cf-Ray. A dev
// server on this machine that forwards (X-Forwarded-Host: localhost:3000) is fine.
func (g Guard) tunnelled(r *http.Request) bool {
	for name := range r.Header {
		// Clients send this one by themselves, to skip ngrok's warning page.
		if strings.HasPrefix(name, "Ngrok-") && name != "Ngrok-Skip-Browser-Warning" {
			return true
		}
	}
	if len(r.Header["Cf-Ray"]) > 0 {
		return true
	}
	overTLS := slices.ContainsFunc(r.Header["X-Forwarded-Proto"], func(p string) bool { return strings.Contains(strings.ToLower(p), "https") })
	for _, line := range r.Header["X-Forwarded-Host"] {
		for host := range strings.SplitSeq(strings.ToLower(line), ",") {
			host = strings.TrimSpace(host)
			name, _ := splitHost(host)
			near := strings.HasSuffix(name, ".localhost") && !overTLS
			if !near && !localName(host) && !slices.Contains(g.Hosts, host) {
				return true
			}
		}
	}
	return false
}

// crossSite reports that a page of another origin sent the request. Programs send neither header.
func (g Guard) crossSite(r *http.Request) bool {
	origins := r.Header["Origin"]
	if len(origins) > 1 {
		return true
	}
	if len(origins) == 1 {
		origin := strings.ToLower(origins[0])
		if slices.Contains(g.AllowOrigins, origin) {
			return false
		}
		if origin != "http://"+strings.ToLower(r.Host) {
			return true // "null" included
		}
	}
	for _, site := range r.Header["Sec-Fetch-Site"] {
		if site != "same-origin" && site != "none" {
			return true
		}
	}
	return false
}

const keyPrefix = "/k/"

// unlock checks the key and cuts it off. Without a required key, a path with one has no meaning;
// it is not passed on, so that a key pasted in vain is recorded nowhere.
func (g Guard) unlock(r *http.Request) (*http.Request, *refusal) {
	before, target := cutAuthority(r.RequestURI)
	rest, keyed := strings.CutPrefix(target, keyPrefix)
	switch {
	case !g.KeyRequired && keyed:
		return nil, &unknownRoute
	case !g.KeyRequired:
		return r, nil
	case !keyed:
		return nil, &missingKey
	}
	key, _, _ := strings.Cut(rest, "?")
	key, _, _ = strings.Cut(key, "/")
	if g.Key == "" || subtle.ConstantTimeCompare([]byte(key), []byte(g.Key)) != 1 {
		return nil, &badKey
	}
	target = rest[len(key):]
	if !strings.HasPrefix(target, "/") {
		target = "/" + target // "/k/<key>" and "/k/<key>?query"
	}
	u, err := url.ParseRequestURI(before + target)
	if err != nil {
		return nil, &badKey
	}
	inner := r.WithContext(r.Context())
	inner.RequestURI, inner.URL = before+target, u
	if from := strings.Join(r.Header["Referer"], ","); strings.Contains(from, g.Key) {
		inner.Header = r.Header.Clone() // a browser tells where it followed a link
		inner.Header.Del("Referer")
	}
	return inner, nil
}

// cutAuthority splits "http://host:port/path?query" into what stands before the path and the
// rest. The origin form has nothing before it.
func cutAuthority(target string) (before, rest string) {
	if strings.HasPrefix(target, "/") {
		return "", target
	}
	_, after, ok := strings.Cut(target, "://")
	if !ok {
		return "", target
	}
	if i := strings.IndexAny(after, "/?"); i >= 0 {
		n := len(target) - len(after) + i
		return target[:n], target[n:]
	}
	return target, "/"
}
