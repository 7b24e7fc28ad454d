// Package export writes captured exchanges in the words of other tools, and reads HAR back.
//
// Nothing that leaves here holds a secret unless [Options.WithSecrets] is given: the access
// token is the placeholder $BC_ACCESS_TOKEN in the spelling of the language, cookies are left
// out, and what the journal masked stays masked.
package export

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"bcdev/capture"
	"bcdev/internal/redact"
)

// TokenVariable is the environment variable that takes the token's place.
const TokenVariable = "BC_ACCESS_TOKEN"

// Options say where exported requests go.
type Options struct {
	API     string // base of BigCommerce's API; "" means https://api.bigcommerce.com
	Login   string // base of the login host; "" means https://login.bigcommerce.com
	Door    string // base of the API door; "" means http://127.0.0.1:7070
	App     string // base of the local app, for callbacks and webhooks; "" means the captured host
	ViaDoor bool   // API calls go through the door, which adds the token, instead of to BigCommerce
	Version string // of bcdev, for the files that name their maker

	// WithSecrets returns a store's access token, or "" when there is none. With it exports are
	// complete and secret; without it they hold a placeholder.
	WithSecrets func(store string) string
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		value *string
		def   string
	}{
		{&o.API, "https://api.bigcommerce.com"},
		{&o.Login, "https://login.bigcommerce.com"},
		{&o.Door, "http://127.0.0.1:7070"},
		{&o.Version, "dev"},
	} {
		if *d.value == "" {
			*d.value = d.def
		}
		*d.value = strings.TrimSuffix(*d.value, "/")
	}
	o.App = strings.TrimSuffix(o.App, "/")
	return o
}

// A request is a captured request made ready to be written down again.
type request struct {
	method string
	url    string
	header []pair
	body   []byte
	notes  []string // what the reader must know: left out, cut, masked

	auth  bool   // it needs the access token
	token string // the token itself, when secrets were asked for
}

type pair struct{ name, value string }

// left lists the fields that belong to the connection the request came over, that the client
// makes itself, or that are another's secret.
var left = []string{
	"Accept-Encoding", "Connection", "Content-Length", "Cookie", "Expect", "Host", "Keep-Alive",
	"Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"X-Auth-Token", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "Via",
}

func newRequest(e capture.Exchange, o Options) request {
	o = o.withDefaults()
	r := request{method: e.Method, body: e.Request.Body}
	if r.method == "" {
		r.method = http.MethodGet
	}
	base, target := place(e, o)
	target, _ = redact.Target(target)
	if strings.Contains(target, redact.Mask) {
		target = strings.ReplaceAll(target, redact.Mask, "REDACTED")
		r.notes = append(r.notes, "secret parameters of the address are REDACTED")
	}
	r.url = base + escapeTarget(target)
	r.auth = e.Door == capture.API && e.Kind != capture.Token && strings.HasPrefix(r.url, o.API+"/")
	if r.auth && o.WithSecrets != nil {
		r.token = o.WithSecrets(e.Store)
	}
	r.takeHeader(e.Request.Header)
	r.noteBody(e)
	return r
}

// place returns the base and the target of a request: API calls go to BigCommerce or through the
// door, the rest to the local app.
func place(e capture.Exchange, o Options) (base, target string) {
	target = e.Target
	if scheme, rest, ok := strings.Cut(target, "://"); ok && !strings.HasPrefix(target, "/") {
		host, _, _ := strings.Cut(rest, "/")
		target = strings.TrimPrefix(target, scheme+"://"+host)
	}
	if !strings.HasPrefix(target, "/") {
		target = "/" + target
	}
	switch {
	case e.Door == capture.API:
	case o.App != "":
		return o.App, target
	case e.Door == capture.Local:
		return "http://" + e.Host, target // an app on the developer's machine
	default:
		return "https://" + e.Host, target
	}
	path, _, _ := strings.Cut(target, "?")
	switch {
	case o.ViaDoor, strings.HasSuffix(path, "/storefront/graphql"):
		return o.Door, target
	case e.Kind == capture.Token:
		return o.Login, target
	case e.Store != "" && !strings.HasPrefix(path, "/stores/"):
		return o.API, "/stores/" + e.Store + target
	}
	return o.API, target
}

// escapeTarget percent-encodes what may not stand in a URL, and nothing else.
func escapeTarget(target string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(target) {
		c := target[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func (r *request) takeHeader(h http.Header) {
	h = redact.Header(h)
	var masked []string
	for _, name := range sortedNames(h) {
		if slices.Contains(left, textproto.CanonicalMIMEHeaderKey(name)) {
			continue
		}
		for _, v := range h[name] {
			switch {
			case strings.Contains(v, redact.Mask):
				masked = append(masked, name)
			case tidy(name, v):
				r.header = append(r.header, pair{name, v})
			}
		}
	}
	if len(masked) > 0 {
		r.notes = append(r.notes, "left out because it is secret: "+strings.Join(slices.Compact(masked), ", "))
	}
}

func sortedNames(h http.Header) []string {
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// tidy reports whether a field can travel in HTTP/1.1 at all (RFC 9110, 5.1 and 5.5): anything
// else would end a line in the generated text.
func tidy(name, v string) bool {
	for i := range len(name) {
		c := name[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	for i := range len(v) {
		if c := v[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return name != ""
}

func (r *request) noteBody(e capture.Exchange) {
	m := e.Request
	if m.Header.Get("Content-Encoding") == "" {
		r.body = redact.Body(e.Target, m.Header.Get("Content-Type"), r.body)
	}
	switch {
	case m.Truncated || m.Dropped:
		r.notes = append(r.notes, "the body was not kept whole")
	case strings.Contains(string(r.body), redact.Mask):
		r.notes = append(r.notes, "secrets of the body are masked")
	}
}

func (r request) has(name string) bool {
	return slices.ContainsFunc(r.header, func(p pair) bool { return strings.EqualFold(p.name, name) })
}

// get returns the values of a field, joined as lists are (RFC 9110, 5.3).
func (r request) get(name string) string {
	var values []string
	for _, p := range r.header {
		if strings.EqualFold(p.name, name) {
			values = append(values, p.value)
		}
	}
	return strings.Join(values, ", ")
}

// comments writes the notes as comment lines.
func (r request) comments(sign string) string {
	var b strings.Builder
	for _, n := range r.notes {
		b.WriteString(sign + " " + redact.Terminal(n) + "\n")
	}
	return b.String()
}

// legible reports whether text can stand in a file that people read and terminals show, as it is.
func legible(text string) bool { return redact.Terminal(text) == text }
