package console

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"bcdev/capture"
	"bcdev/internal/redact"
)

// ShowOptions say how much of an exchange to show.
type ShowOptions struct {
	Raw     bool // the body alone, as it travelled: the request's of a callback or webhook, else the response's
	Headers bool // every header, also those that proxies and browsers add to everything
}

// Show shows one exchange whole: what it means, then headers and bodies.
func (c *Console) Show(e capture.Exchange, o ShowOptions) {
	if c.o.JSON {
		c.event("exchange", showFields(e, o)...)
		return
	}
	s := c.sheet()
	s.at, s.val = 2, 14
	if o.Raw {
		c.raw(e)
		return
	}
	s.about(c, e)
	s.meaning(c, e)
	s.message("request", requestLine(e), e.Request, o)
	if e.Status > 0 {
		s.message("response", strings.TrimSpace(e.Proto+" "+statusWord(e.Status)), e.Response, o)
	}
	c.toOut(s)
}

// raw writes a body byte for byte, or, for a person, so that the terminal only shows it.
func (c *Console) raw(e capture.Exchange) {
	m := e.Response
	if e.Door == capture.Public {
		m = e.Request
	}
	if m.Truncated || m.Dropped {
		c.Notef("the body was not kept whole: %s of %s", size(int64(len(m.Body))), size(m.Size))
	}
	s := c.sheet()
	switch {
	case !c.o.Interactive:
		c.write(string(m.Body))
	case readable(m.Body):
		c.write(redact.TerminalText(string(m.Body)))
	default:
		s.hexDump(m.Body)
		c.toOut(s)
	}
}

// about is the summary: what, when, from where, with what outcome.
func (s *sheet) about(c *Console, e capture.Exchange) {
	s.put(link, fmt.Sprintf("#%d", e.ID)).put(plain, "  ").put(strong, kindWord(e)).put(plain, "  "+briefly(e)).line()
	s.fact("when", plain, e.At.In(c.o.Location).Format("2006-01-02 15:04:05.000 -07:00"))
	s.fact("door", plain, doorWords(e))
	s.fact("store", strong, e.Store)
	s.pad(s.at).put(faint, "answer").pad(s.val)
	if e.Status == 0 {
		s.put(bad, "none")
	} else {
		s.put(statusInk(e.Status), statusWord(e.Status))
	}
	s.put(plain, "  after "+took(e.Took))
	if e.First > 0 {
		s.put(faint, ", first byte after "+took(e.First))
	}
	s.line()
	if e.Of > 0 {
		s.fact("of", plain, strings.TrimSpace(fmt.Sprintf("#%d %s", e.Of, e.Via)))
	} else {
		s.fact("via", plain, e.Via)
	}
	if e.Attempt > 0 {
		s.fact("attempt", plain, fmt.Sprint(e.Attempt))
	}
	s.fact("verdict", verdictInk(e.Verdict), e.Verdict)
	s.fact("marks", plain, strings.Join(e.Marks, ", "))
	s.fact("error", bad, e.Err)
	s.hint(e.Hint)
}

func doorWords(e capture.Exchange) string {
	words := map[capture.Door]string{
		capture.Public: "public: from BigCommerce or a browser",
		capture.API:    "API: to BigCommerce",
		capture.Local:  "app: to the local app",
	}[e.Door]
	if words == "" {
		words = string(e.Door)
	}
	if e.Remote != "" {
		words += ", peer " + e.Remote
	}
	return words
}

func requestLine(e capture.Exchange) string {
	target, _ := redact.Target(e.Target)
	return strings.TrimSpace(e.Method + " " + target + " " + e.Proto)
}

func (s *sheet) message(name, first string, m capture.Message, o ShowOptions) {
	s.line().put(strong, name)
	if first != "" {
		s.put(faint, "  "+first)
	}
	if m.Size > 0 {
		s.put(faint, "  "+size(m.Size))
	}
	s.line()
	s.headers(redact.Header(m.Header), o.Headers)
	s.headers(redact.Header(m.Trailer), true)
	if m.Size == 0 && len(m.Body) == 0 {
		return
	}
	s.line()
	s.body(m)
}

// headers writes the values of fields, sorted by name: the order between names is not kept by
// HTTP libraries and means nothing, that between values of one name does.
func (s *sheet) headers(h http.Header, every bool) {
	hidden := 0
	for _, name := range sortedNames(h) {
		if !every && noise(name) {
			hidden++
			continue
		}
		for _, v := range h[name] {
			s.pad(2).put(key, name).put(plain, ": ").put(plain, v).line()
		}
	}
	if hidden > 0 {
		s.pad(2).put(faint, fmt.Sprintf("and %d more: --headers", hidden)).line()
	}
}

// noise reports whether a field is on every request or answer and says nothing about this one.
func noise(name string) bool {
	name = strings.ToLower(name)
	for _, prefix := range []string{"sec-", "x-forwarded-", "cf-", "access-control-", "report-", "x-amz-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return slices.Contains([]string{
		"accept-encoding", "accept-language", "alt-svc", "cache-control", "connection", "date", "dnt", "etag",
		"expires", "keep-alive", "nel", "pragma", "priority", "server", "strict-transport-security",
		"transfer-encoding", "upgrade-insecure-requests", "vary", "via", "x-content-type-options", "x-frame-options",
	}, name)
}

func sortedNames(h http.Header) []string {
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func showFields(e capture.Exchange, o ShowOptions) []field {
	target, _ := redact.Target(e.Target)
	f := append(exchangeFields(e), field{"target", target}, field{"host", e.Host}, field{"proto", e.Proto},
		field{"remote", e.Remote}, field{"first_byte_ms", millis(e.First)})
	if in, ok := installOf(e); ok {
		f = append(f, field{"code", in.Code}, field{"context", in.Context}, field{"scope", list(in.Scopes)})
	}
	if len(e.Detail) > 0 {
		f = append(f, field{"detail", e.Detail})
	}
	return append(f, field{"request", messageFields(e.Request, o)}, field{"response", messageFields(e.Response, o)})
}

// messageFields are a message for machines. The body is text where it can be, unpacked unless
// raw is asked for, and base64 otherwise.
func messageFields(m capture.Message, o ShowOptions) ordered {
	h := redact.Header(m.Header)
	if h == nil {
		h = http.Header{}
	}
	f := ordered{{"headers", h}}
	if len(m.Trailer) > 0 {
		f = append(f, field{"trailers", redact.Header(m.Trailer)})
	}
	u := unpacked{text: m.Body}
	if !o.Raw {
		u = unpack(m)
	}
	if utf8.Valid(u.text) {
		f = append(f, field{"body", string(u.text)}, field{"encoding", "text"})
	} else {
		f = append(f, field{"body", base64.StdEncoding.EncodeToString(u.text)}, field{"encoding", "base64"})
	}
	return append(f, field{"unpacked", u.done}, field{"size", m.Size}, field{"sha256", m.SHA256},
		field{"truncated", m.Truncated}, field{"dropped", m.Dropped})
}

// pairs writes a query's parameters in their order, decoded.
func (s *sheet) pairs(name, query string) {
	if query == "" {
		return
	}
	for n, pair := range strings.Split(query, "&") {
		k, v, _ := strings.Cut(pair, "=")
		s.pad(s.at)
		if n == 0 {
			s.put(faint, name)
		}
		s.pad(s.val).put(key, unescapeQuery(k)).put(plain, " = ").put(plain, unescapeQuery(v)).line()
	}
}

func unescapeQuery(text string) string {
	if plainText, err := url.QueryUnescape(text); err == nil {
		return plainText
	}
	return text
}

func ageWords(from, to time.Time) string {
	if d := to.Sub(from); d >= 0 {
		return age(d) + " before it arrived"
	}
	return age(from.Sub(to)) + " after it arrived, by this clock"
}
