package console

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
)

// The log's columns: time, number, mark, text.
const (
	colNumber = 10
	colMark   = 16
	colText   = 18
	colValue  = 28
)

// Exchange shows an API call: what went out, and what came back.
func (c *Console) Exchange(e capture.Exchange) {
	if c.exchangeEvent(e) {
		return
	}
	s := c.sheet()
	s.head(c, e, "▲", plain).put(strong, e.Method).put(plain, " "+targetOf(e))
	if e.Store != "" {
		s.put(faint, "  "+e.Store)
	}
	s.line()
	s.answer(c, e)
	c.toOut(s)
}

// Webhook shows a delivery from BigCommerce, and what its signature is worth.
func (c *Console) Webhook(e capture.Exchange, w bigcommerce.Webhook, signature error) {
	kind, id, _ := w.Resource()
	if c.event("webhook", field{"id", e.ID}, field{"scope", w.Scope}, field{"store", storeOf(e, w.Store)},
		field{"signature", signatureWord(signature)},
		field{"resource", ordered{{"type", kind}, {"id", id}}}, field{"hash", w.Hash},
		field{"age_s", int64(ageOf(e, w).Seconds())}, field{"retry", retryOf(e)},
		field{"duplicate", hasMark(e, "duplicate")}, field{"signature_problem", messageOf(signature)},
		field{"hint", hintOf(signature)}) {
		return
	}
	s := c.sheet()
	s.head(c, e, "▼", good).put(strong, "webhook").put(plain, " "+w.Scope)
	if id != "" {
		s.put(strong, "  "+kind+" "+id)
	}
	s.put(faint, "  "+storeOf(e, w.Store))
	if old := ageOf(e, w); old > 0 {
		s.put(faint, "  "+age(old)+" old")
	}
	if n := retryOf(e); n > 0 {
		s.put(warn, fmt.Sprintf("  retry %d", n))
	}
	if hasMark(e, "duplicate") {
		s.put(warn, "  came before")
	}
	s.line()
	if signature == nil {
		s.pad(colText).put(good, "signature valid")
	} else {
		s.pad(colText).put(warn, "signature "+signatureWord(signature)+": ").wrap(plain, colText, signature.Error())
	}
	if w.Hash != "" && c.o.Verbose {
		s.put(faint, "  hash "+w.Hash)
	}
	s.line()
	if signature != nil && signatureWord(signature) != "absent" {
		s.hint(hintOf(signature))
	}
	c.toOut(s)
}

// Delivery shows what the local app answered.
func (c *Console) Delivery(e capture.Exchange) {
	if c.event("delivery", deliveryFields(e)...) {
		return
	}
	s := c.sheet()
	s.delivery(c, e)
	if e.Of > 0 && (e.Status == 0 || e.Status >= 400) {
		s.pad(colText).put(faint, fmt.Sprintf("again: bcdev replay %d", e.Of)).line()
	}
	c.toOut(s)
}

// deliveryFields are the members of a delivery event. The first six are promised.
func deliveryFields(e capture.Exchange) []field {
	return []field{
		{"id", e.ID}, {"of", e.Of}, {"status", e.Status}, {"ms", millis(e.Took)}, {"verdict", e.Verdict},
		{"error", e.Err}, {"kind", e.Kind}, {"via", e.Via}, {"attempt", e.Attempt}, {"hint", e.Hint},
	}
}

func (s *sheet) delivery(c *Console, e capture.Exchange) {
	s.head(c, e, "▶", plain).put(strong, "app").put(plain, " "+briefly(e))
	what := strings.ReplaceAll(string(e.Kind), "_", " ")
	if e.Topic != "" {
		what = e.Topic
	}
	if e.Of > 0 {
		what += fmt.Sprintf(" of #%d", e.Of)
	}
	s.put(faint, "  "+what)
	if e.Via != "" && e.Via != "pass" {
		s.put(faint, ", "+e.Via)
	}
	s.line()
	s.answer(c, e)
}

// Link shows the tunnel's state: "up" only while requests can arrive.
func (c *Console) Link(state string, since time.Time, detail string) {
	if c.event("link", field{"state", state}, field{"since", stamp(since)}, field{"detail", detail}) {
		return
	}
	i := warn
	switch state {
	case "up":
		i = good
	case "down":
		i = bad
	}
	s := c.sheet()
	s.notice(c, i, "link "+state)
	if now := c.o.Now(); !since.IsZero() && now.Sub(since) >= time.Second {
		s.put(faint, "  since "+c.clock(since)+", "+age(now.Sub(since)))
	}
	if detail != "" {
		s.put(plain, "  ").wrap(plain, colText, detail)
	}
	c.toOut(s.line())
}

// App shows that the local app went away or came back, and how many deliveries wait for it.
// BigCommerce is answered meanwhile, so its webhooks are not switched off.
func (c *Console) App(up bool, since time.Time, waiting int) {
	if c.event("app", field{"up", up}, field{"since", stamp(since)}, field{"waiting", waiting}) {
		return
	}
	s := c.sheet()
	switch {
	case up && waiting > 0:
		s.notice(c, good, fmt.Sprintf("app is back, delivering %d in order", waiting))
	case up:
		s.notice(c, good, "app is back")
	default:
		s.notice(c, warn, fmt.Sprintf("app unreachable since %s", c.clock(since)))
		s.put(plain, fmt.Sprintf("  webhooks are answered with 200 and kept, %d waiting", waiting))
	}
	c.toOut(s.line())
}

// Quota warns that a store's calls run out. The quota is shared by all apps of the store
// (BigCommerce docs, API best practices > Rate limits).
func (c *Console) Quota(store string, left, limit int, reset time.Duration) {
	if c.event("quota", field{"store", store}, field{"left", left}, field{"limit", limit}, field{"reset_ms", millis(reset)}) {
		return
	}
	s := c.sheet()
	s.notice(c, warn, fmt.Sprintf("quota of %s: %d of %d calls left", store, left, limit))
	s.put(faint, "  full again in "+age(reset))
	c.toOut(s.line())
}

// head begins a log entry: time, number, mark.
func (s *sheet) head(c *Console, e capture.Exchange, sign string, i ink) *sheet {
	s.put(faint, c.clock(e.At))
	if e.ID > 0 {
		s.pad(colNumber).put(link, "#"+strconv.FormatInt(e.ID, 10))
	}
	return s.pad(colMark).put(i, s.mark(sign)).pad(colText)
}

// notice begins a log entry that belongs to no exchange.
func (s *sheet) notice(c *Console, i ink, text string) {
	s.put(faint, c.clock(c.o.Now())).pad(colMark).put(i, s.mark("●")).pad(colText).put(i, text)
}

// answer is the second line of an entry, and, where it failed, the lines that say why.
func (s *sheet) answer(c *Console, e capture.Exchange) {
	s.pad(colMark).put(faint, s.mark("◀")).pad(colText)
	if e.Status == 0 {
		s.put(bad, "no answer")
	} else {
		s.put(statusInk(e.Status), statusWord(e.Status))
	}
	s.put(plain, "  "+took(e.Took))
	if e.Response.Size > 0 {
		s.put(faint, "  "+size(e.Response.Size))
	}
	if c.o.Verbose && e.First > 0 {
		s.put(faint, "  first byte "+took(e.First))
	}
	if e.Attempt > 1 {
		s.put(warn, fmt.Sprintf("  attempt %d", e.Attempt))
	}
	if e.Verdict != "" {
		s.put(plain, "  ").put(verdictInk(e.Verdict), e.Verdict)
	}
	s.line()
	if e.Err != "" {
		s.pad(colText).wrap(bad, colText, e.Err).line()
	}
	if e.Status >= 400 {
		s.excerpt(e.Response)
	}
	s.hint(e.Hint)
}

func (s *sheet) hint(text string) {
	if text != "" {
		s.pad(s.at).put(warn, "hint: ").wrap(plain, s.at, text).line()
	}
}

// fact is one line under an entry: a name and a value.
func (s *sheet) fact(name string, i ink, text string) *sheet {
	if text != "" {
		s.pad(s.at).put(faint, name).pad(s.val).put(i, text).line()
	}
	return s
}

func (c *Console) clock(t time.Time) string {
	if t.IsZero() {
		return "--:--:--"
	}
	return t.In(c.o.Location).Format(time.TimeOnly)
}

func (c *Console) exchangeEvent(e capture.Exchange) bool {
	return c.o.JSON && c.event("exchange", exchangeFields(e)...)
}

// exchangeFields are the members of an exchange event. The first eight are promised.
func exchangeFields(e capture.Exchange) []field {
	path, query := pathOf(e)
	f := []field{
		{"id", e.ID}, {"door", string(e.Door)}, {"method", e.Method}, {"path", path}, {"store", e.Store},
		{"status", e.Status}, {"ms", millis(e.Took)}, {"hint", e.Hint},
		{"kind", string(e.Kind)}, {"query", query}, {"at", e.At.UTC().Format(time.RFC3339Nano)},
		{"request_bytes", e.Request.Size}, {"response_bytes", e.Response.Size},
	}
	for _, m := range []field{{"topic", e.Topic}, {"error", e.Err}, {"via", e.Via}, {"verdict", e.Verdict}} {
		if m.value != "" {
			f = append(f, m)
		}
	}
	if e.Of != 0 {
		f = append(f, field{"of", e.Of})
	}
	if e.Attempt != 0 {
		f = append(f, field{"attempt", e.Attempt})
	}
	if len(e.Marks) > 0 {
		f = append(f, field{"marks", e.Marks})
	}
	return f
}

func statusWord(status int) string {
	if text := http.StatusText(status); text != "" {
		return strconv.Itoa(status) + " " + text
	}
	return strconv.Itoa(status)
}

func statusInk(status int) ink {
	switch {
	case status == 0 || status >= 500:
		return bad
	case status >= 400:
		return warn
	case status >= 300:
		return link
	}
	return good
}

func verdictInk(verdict string) ink {
	switch verdict {
	case "fixed":
		return good
	case "regressed", "failing":
		return bad
	}
	return faint
}

// ageOf is the time between an event and its arrival; 0 when it is not known, or within the
// second that BigCommerce's clock counts in.
func ageOf(e capture.Exchange, w bigcommerce.Webhook) time.Duration {
	if w.CreatedAt.IsZero() || e.At.IsZero() {
		return 0
	}
	if old := e.At.Sub(w.CreatedAt); old >= time.Second {
		return old
	}
	return 0
}

// retryOf is which repetition of its message an arrival is; 0 for the first arrival.
func retryOf(e capture.Exchange) int { return max(0, e.Attempt-1) }
