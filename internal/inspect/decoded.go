package inspect

import (
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
	"time"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
	"bcdev/internal/redact"
)

// fact is one line of what an exchange means.
type fact struct {
	Name, Value string
	Class       string
	Copy        bool      // offer to copy the value
	Link        string    // leads further
	At          time.Time // instead of Value
}

// scopeFact is a scope, and what it allows.
type scopeFact struct{ Scope, Name, Level, About, Class string }

// decoded is what an exchange means.
type decoded struct {
	Facts   []fact
	Scopes  []scopeFact
	Query   []pair
	Trouble string
	Next    string
	Claims  template.HTML
	Data    template.HTML
	GraphQL string
	Vars    template.HTML
}

// problemFact is what the journal keeps of a refused callback.
type problemFact struct {
	Text string `json:"text"`
	Hint string `json:"hint"`
}

func decode(e capture.Exchange, now time.Time) decoded {
	var d decoded
	switch e.Kind {
	case capture.Auth:
		d.install(e)
	case capture.Load, capture.Uninstall, capture.RemoveUser:
		d.payload(e, now)
	case capture.Hook:
		d.webhook(e)
	default:
		d.call(e)
	}
	if d.Next == "" {
		d.Next = redact.Terminal(e.Hint)
	}
	return d
}

func (d *decoded) add(name, class, value string) {
	if value != "" {
		d.Facts = append(d.Facts, fact{Name: name, Value: redact.Terminal(clipText(value, treeString)), Class: class})
	}
}

func (d *decoded) copyable(name, value string) {
	d.add(name, "mono", value)
	if value != "" {
		d.Facts[len(d.Facts)-1].Copy = true
	}
}

func (d *decoded) when(name string, at time.Time) {
	if !at.IsZero() {
		d.Facts = append(d.Facts, fact{Name: name, At: at.UTC()})
	}
}

func (d *decoded) trouble(p *problemFact) {
	if p != nil {
		d.Trouble, d.Next = redact.Terminal(p.Text), redact.Terminal(p.Hint)
	}
}

// install tells code, store and scopes. The code is there when the target was revealed.
func (d *decoded) install(e capture.Exchange) {
	var f struct {
		bigcommerce.Install
		Missing []string          `json:"missing"`
		Extra   []string          `json:"extra"`
		User    *bigcommerce.User `json:"user"`
		Owner   *bigcommerce.User `json:"owner"`
		Granted []string          `json:"granted"`
		Problem *problemFact      `json:"problem"`
	}
	_ = json.Unmarshal(e.Detail, &f) // facts that are missing are not shown
	_, query, _ := strings.Cut(e.Target, "?")
	if in, err := bigcommerce.ParseInstall(query); err == nil {
		f.Install = in
	}
	d.copyable("code", f.Code)
	if f.Code != "" {
		d.add("", "faint", "a code can be spent once; it is good for the minute in which it was made")
	}
	d.copyable("context", f.Context)
	store := f.Store
	if store == "" {
		store = e.Store
	}
	d.copyable("store", store)
	d.add("account", "mono", f.AccountUUID)
	if f.External {
		d.add("began at", "", "an external install link")
	}
	d.person("user", f.User)
	d.person("owner", f.Owner)
	d.scopes(f.Scopes, f.Missing, f.Extra)
	d.trouble(f.Problem)
}

func (d *decoded) person(name string, u *bigcommerce.User) {
	if u == nil || u.ID == 0 && u.Email == "" {
		return
	}
	d.add(name, "", strings.TrimSpace(fmt.Sprintf("%s (%d)", firstOf(u.Email, u.Username), u.ID)))
}

func (d *decoded) scopes(granted, missing, extra []string) {
	for _, s := range granted {
		class := ""
		if slices.Contains(extra, s) {
			class = "extra"
		}
		d.scope(s, class)
	}
	for _, s := range missing {
		d.scope(s, "missing")
	}
}

func (d *decoded) scope(s, class string) {
	name, level, about := bigcommerce.ScopeName(s)
	d.Scopes = append(d.Scopes, scopeFact{cell(s), name, level, about, class})
}

// payload tells the claims of a signed payload against the clock.
func (d *decoded) payload(e capture.Exchange, now time.Time) {
	var f struct {
		bigcommerce.Payload
		Problem *problemFact `json:"problem"`
	}
	_ = json.Unmarshal(e.Detail, &f)
	p := f.Payload
	d.copyable("store", firstOf(p.Store, e.Store))
	d.person("user", &p.User)
	d.person("owner", &p.Owner)
	d.add("url", "mono", p.URL)
	if p.ChannelID != nil {
		d.add("channel", "", fmt.Sprint(*p.ChannelID))
	}
	if p.Legacy {
		d.add("form", "", "signed_payload (legacy)")
	}
	d.add("algorithm", "mono", p.Algorithm)
	d.add("clock", "", bigcommerce.SkewWords(p, now))
	d.when("issued", p.IssuedAt)
	d.when("not before", p.NotBefore)
	d.when("expires", p.ExpiresAt)
	d.add("audience", "mono", p.Audience)
	d.add("issuer", "mono", p.Issuer)
	d.add("id", "mono", p.ID)
	if len(p.Claims) > 0 {
		d.Claims, _ = jsonTree(p.Claims)
	}
	d.trouble(f.Problem)
}

// webhook tells the event and what it is about.
func (d *decoded) webhook(e capture.Exchange) {
	var f struct {
		bigcommerce.Webhook
		MessageID string       `json:"webhook_id"`
		Retry     int          `json:"retry"`
		Duplicate bool         `json:"duplicate"`
		Signature string       `json:"signature"`
		Problem   *problemFact `json:"problem"`
	}
	if json.Unmarshal(e.Detail, &f) != nil || f.Scope == "" {
		if w, err := bigcommerce.ParseWebhook(e.Request.Body); err == nil {
			f.Webhook = w
		}
	}
	d.copyable("event", firstOf(f.Scope, e.Topic))
	if event, _, ok := bigcommerce.FindEvent(f.Scope); ok {
		d.add("means", "", event.About)
	}
	d.copyable("store", firstOf(f.Store, e.Store))
	kind, id, path := f.Resource()
	d.add("resource", "", strings.TrimSpace(kind+" "+id))
	if d.copyable("fetch it", path); path != "" {
		d.Facts[len(d.Facts)-1].Link = "/call?path=" + queryEscape(path) + "&store=" + queryEscape(firstOf(f.Store, e.Store))
	}
	d.when("created", f.CreatedAt)
	d.add("hash", "mono", f.Hash)
	d.add("message id", "mono", f.MessageID)
	d.add("signature", map[string]string{"valid": "good", "invalid": "bad", "absent": "warn"}[f.Signature], f.Signature)
	if f.Retry > 0 {
		d.add("retry", "warn", fmt.Sprintf("repetition %d of the same message", f.Retry))
	}
	if f.Duplicate {
		d.add("duplicate", "warn", "the same event came before: an app compares the hash")
	}
	if len(f.Data) > 0 {
		d.Data, _ = jsonTree(f.Data)
	}
	d.trouble(f.Problem)
}

// call tells query, quota and what a refusal means.
func (d *decoded) call(e capture.Exchange) {
	path, query, _ := strings.Cut(maskedTarget(e), "?")
	d.copyable("store", e.Store)
	d.add("host", "mono", e.Host)
	if q, ok := bigcommerce.ParseQuota(e.Response.Header); ok {
		d.add("quota", map[bool]string{true: "warn"}[q.Limit > 0 && q.Left*5 < q.Limit],
			fmt.Sprintf("%d of %d calls left, full again in %s", q.Left, q.Limit, bigcommerce.Words(q.Reset)))
	}
	d.Query = pairsOf(query)
	d.graphQL(e, path)
	if e.Status == 401 || e.Status == 403 {
		for _, need := range bigcommerce.ScopesFor(e.Method, path) {
			d.scope(need.Scope, "needed")
		}
	}
}

// graphQL shows a query as it is read, instead of as one JSON string.
func (d *decoded) graphQL(e capture.Exchange, path string) {
	if !strings.HasSuffix(path, "/graphql") {
		return
	}
	query, vars, ok := graphQLOf(e.Request)
	if !ok {
		return
	}
	d.GraphQL = redact.TerminalText(clipText(query, textShown))
	if len(vars) > 0 && string(vars) != "null" {
		d.Vars, _ = jsonTree(vars)
	}
}

func graphQLOf(m capture.Message) (query string, vars json.RawMessage, ok bool) {
	var body struct {
		Query     string          `json:"query"`
		Variables json.RawMessage `json:"variables"`
	}
	u := unpack(m)
	if u.err != nil || json.Unmarshal(u.body, &body) != nil || body.Query == "" {
		return "", nil, false
	}
	return body.Query, body.Variables, true
}

// related are the exchanges an exchange belongs to.
type related struct {
	Row   row
	Words string
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
