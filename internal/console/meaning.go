package console

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
)

// installFacts is what the journal keeps of an install beside the request.
type installFacts struct {
	bigcommerce.Install
	Missing []string          `json:"missing"`
	Extra   []string          `json:"extra"`
	User    *bigcommerce.User `json:"user"`
	Owner   *bigcommerce.User `json:"owner"`
	Granted []string          `json:"granted"`
	Problem *trouble          `json:"problem"`
}

type payloadFacts struct {
	bigcommerce.Payload
	Problem *trouble `json:"problem"`
}

type webhookFacts struct {
	bigcommerce.Webhook
	Signature string   `json:"signature"`
	Retry     int      `json:"retry"`
	Problem   *trouble `json:"problem"`
}

type trouble struct {
	Text string `json:"text"`
	Hint string `json:"hint"`
}

// meaning says what an exchange is about, as far as its kind is known.
func (s *sheet) meaning(c *Console, e capture.Exchange) {
	mark := s.b.Len()
	s.line().put(strong, "decoded").line()
	before := s.b.Len()
	switch e.Kind {
	case capture.Auth:
		s.installMeaning(e)
	case capture.Load, capture.Uninstall, capture.RemoveUser:
		s.payloadMeaning(c, e)
	case capture.Hook:
		s.webhookMeaning(c, e)
	default:
		s.callMeaning(e)
	}
	if s.b.Len() == before {
		text := s.b.String()[:mark]
		s.b.Reset()
		s.b.WriteString(text)
	}
}

func (s *sheet) installMeaning(e capture.Exchange) {
	var f installFacts
	_ = json.Unmarshal(e.Detail, &f) // facts that are missing are not shown
	if in, ok := installOf(e); ok {
		f.Install = in
	}
	if f.Store == "" {
		f.Store = e.Store
	}
	s.install(f.Install, f.Missing, f.Extra)
	if f.User != nil {
		s.fact("user", plain, person(*f.User))
	}
	if f.Owner != nil {
		s.fact("owner", plain, person(*f.Owner))
	}
	s.scopes("granted", good, f.Granted)
	s.trouble(f.Problem, e.Hint)
}

// installOf reads the callback once more. The code is in it when the target was revealed.
func installOf(e capture.Exchange) (bigcommerce.Install, bool) {
	_, query, _ := strings.Cut(e.Target, "?")
	in, err := bigcommerce.ParseInstall(query)
	return in, err == nil && e.Kind == capture.Auth
}

func (s *sheet) payloadMeaning(c *Console, e capture.Exchange) {
	var f payloadFacts
	if json.Unmarshal(e.Detail, &f) == nil {
		s.payload(c, f.Payload, c.o.Now())
		s.trouble(f.Problem, e.Hint)
	}
	if len(f.Claims) > 0 {
		s.pad(s.at).put(faint, "claims").line()
		s.json(s.at+2, f.Claims)
	}
}

func (s *sheet) webhookMeaning(c *Console, e capture.Exchange) {
	var f webhookFacts
	if json.Unmarshal(e.Detail, &f) != nil || f.Scope == "" {
		w, err := bigcommerce.ParseWebhook(e.Request.Body)
		if err != nil {
			return
		}
		f.Webhook = w
	}
	s.fact("event", strong, f.Scope)
	if event, _, ok := bigcommerce.FindEvent(f.Scope); ok {
		s.fact("means", plain, event.About)
	}
	if kind, id, path := f.Resource(); kind != "" {
		s.fact("resource", strong, kind+" "+id)
		s.fact("fetch it", plain, path)
	}
	if !f.CreatedAt.IsZero() {
		s.fact("created", plain, f.CreatedAt.In(c.o.Location).Format(time.DateTime)+", "+ageWords(f.CreatedAt, e.At))
	}
	s.fact("hash", plain, f.Hash)
	i := warn
	if f.Signature == "valid" {
		i = good
	}
	s.fact("signature", i, f.Signature)
	if f.Retry > 0 {
		s.fact("retry", warn, fmt.Sprintf("repetition %d of the same message", f.Retry))
	}
	s.trouble(f.Problem, e.Hint)
}

func (s *sheet) callMeaning(e capture.Exchange) {
	_, query := pathOf(e)
	s.pairs("query", query)
	if q, ok := bigcommerce.ParseQuota(e.Response.Header); ok {
		s.fact("quota", plain, fmt.Sprintf("%d of %d calls left, full again in %s", q.Left, q.Limit, age(q.Reset)))
	}
	if e.Status != 401 && e.Status != 403 {
		return
	}
	path, _ := pathOf(e)
	for _, need := range bigcommerce.ScopesFor(e.Method, path) {
		s.fact("opened by", plain, need.Scope+"  "+need.Name+" "+need.Level)
	}
}

// trouble shows why a callback was refused; its hint only where the summary has not said it.
func (s *sheet) trouble(t *trouble, said string) {
	if t == nil || t.Text == "" {
		return
	}
	s.pad(s.at).put(faint, "problem").pad(s.val).wrap(bad, s.val, t.Text).line()
	if t.Hint != said {
		s.hint(t.Hint)
	}
}
