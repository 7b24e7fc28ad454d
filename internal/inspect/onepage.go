package inspect

import (
	"context"
	"net/http"
	"strings"
	"unicode/utf8"

	"bcdev/capture"
	"bcdev/internal/redact"
)

// onePage is an exchange as its page shows it.
type onePage struct {
	ID              int64
	Row             row
	Filter          string
	Target          string
	Remote          string
	Proto           string
	Err             string
	Attempt         int
	API             bool // a call to BigCommerce
	Writes          bool // that may change a store
	CanReplay       bool
	NeedsTo         bool   // there is no local app: a place must be named
	To              string // where the last delivery went, when there is no local app
	App             string
	Answered        bool
	ShowBody        bool
	Decoded         decoded
	Expansion       *expansion
	Request         bodyView
	Response        bodyView
	RequestHeaders  []pair
	ResponseHeaders []pair
	RawRequest      string
	RawResponse     string
	FirstWords      string
	RestWords       string
	WaitWidth       int // of 1000
	TakeWidth       int
	Related         []related
	Suggest         int64
	Tabs            []pair
	Copies          []pair

	EditPath    string
	EditQuery   string
	QueryMasked bool
	EditBody    string
	BodyFixed   bool
}

// expansion is the resource a webhook speaks of, fetched.
type expansion struct {
	Row  row
	Body bodyView
}

func (w *window) onePage(ctx context.Context, e capture.Exchange, filter string, s Status) *onePage {
	p := &onePage{
		ID: e.ID, Row: rowOf(e, filter), Filter: filter, Target: redact.Terminal(clipText(maskedTarget(e), treeString)), Remote: cell(e.Remote), Proto: cell(e.Proto),
		Err: redact.Terminal(e.Err), Attempt: e.Attempt, API: e.Door == capture.API, App: s.App, Answered: e.Status > 0,
		Decoded: decode(e, w.o.Now()), Request: bodyViewOf(e, "request", e.Request), Response: bodyViewOf(e, "response", e.Response),
		RequestHeaders: headerPairs(e.Request.Header), ResponseHeaders: headerPairs(e.Response.Header),
		RawRequest:  rawOf(e.Request, strings.TrimSpace(e.Method+" "+maskedTarget(e)+" "+e.Proto), "Host: "+e.Host),
		RawResponse: rawOf(e.Response, strings.TrimSpace(e.Proto+" "+statusLine(e.Status))),
	}
	p.ShowBody = p.API && p.Answered && p.Response.Form != formNone
	p.CanReplay = e.Door != capture.API && e.Kind != capture.Other || e.Kind == capture.Call
	if p.NeedsTo = !p.API && s.App == ""; p.NeedsTo {
		p.To = w.lastTarget(ctx)
	}
	p.Writes = p.API && !harmless(e.Method) && (!strings.HasSuffix(p.Row.Path, "/graphql") || hasMutation(string(e.Request.Body)))
	p.timing(e)
	p.edit(e)
	p.words()
	w.relate(ctx, p, e)
	return p
}

func statusLine(status int) string {
	return strings.TrimSpace(strings.Join([]string{statusNumber(status), http.StatusText(status)}, " "))
}

func statusNumber(status int) string {
	text, _ := statusOf(capture.Exchange{Status: status, Err: "-"})
	return text
}

func (p *onePage) words() {
	p.Tabs = []pair{{"Decoded", "decoded"}, {"Headers", "headers"}, {"Body", "body"}, {"Raw", "raw"}, {"Timing", "timing"}}
	if p.CanReplay {
		p.Tabs = append(p.Tabs, pair{map[bool]string{true: "Call again", false: "Replay"}[p.API], "replay"})
	}
	p.Copies = []pair{{"curl", "curl"}, {"HTTP", "http"}, {"JavaScript fetch", "fetch"}, {"Go", "go"}, {"PHP", "php"}, {"PowerShell", "powershell"}}
}

func (p *onePage) timing(e capture.Exchange) {
	p.FirstWords, p.RestWords = tookWords(e.First), tookWords(e.Took-e.First)
	if e.Took <= 0 {
		return
	}
	p.WaitWidth = int(1000 * min(max(e.First, 0), e.Took) / e.Took)
	p.TakeWidth = 1000 - p.WaitWidth
}

// edit prepares what the replay sheet can change.
func (p *onePage) edit(e capture.Exchange) {
	target := maskedTarget(e)
	path, query, _ := strings.Cut(target, "?")
	if p.API {
		if rest, ok := strings.CutPrefix(path, "/stores/"+e.Store+"/"); ok && e.Store != "" {
			path = "/" + rest
		}
	}
	p.EditPath, p.EditQuery = path, query
	p.QueryMasked = strings.Contains(target, redact.Mask)
	m := e.Request
	switch {
	case len(m.Body) == 0:
	case m.Truncated || m.Dropped || len(m.Body) > 256<<10 || m.Header.Get("Content-Encoding") != "" || !utf8.Valid(m.Body) || strings.Contains(string(m.Body), redact.Mask):
		p.BodyFixed = true
	default:
		p.EditBody = string(m.Body)
	}
}

// relate finds what belongs to an exchange: what it delivers or repeats, what delivers it, and the
// last one like it.
func (w *window) relate(ctx context.Context, p *onePage, e capture.Exchange) {
	add := func(x capture.Exchange, words string) {
		p.Related = append(p.Related, related{rowOf(x, p.Filter), words})
		if p.Suggest == 0 && x.ID != e.ID {
			p.Suggest = x.ID
		}
	}
	origin := e.ID
	if e.Of != 0 {
		origin = e.Of
		if of, err := w.original(ctx, e.Of); err == nil {
			add(of, "original")
		}
	}
	family, err := w.o.Journal.Find(ctx, capture.Query{Of: origin, Limit: 20, Bodies: e.Kind == capture.Hook})
	if err != nil {
		w.o.Logger.Debug("looking for related exchanges", "error", err)
	}
	for _, x := range family {
		if x.ID == e.ID {
			continue
		}
		_, word := shapeOf(x)
		add(x, word)
		if x.Via == "expand" && p.Expansion == nil {
			p.Expansion = &expansion{rowOf(x, p.Filter), bodyViewOf(x, "response", x.Response)}
		}
	}
	w.relateLike(ctx, e, add)
}

// likeAmong is how far back the last exchange like this one is looked for.
const likeAmong = 100

// relateLike finds the one before: the last of the same event, or of the same method and path.
func (w *window) relateLike(ctx context.Context, e capture.Exchange, add func(capture.Exchange, string)) {
	q := capture.Query{Kinds: []capture.Kind{e.Kind}, Door: e.Door, Before: e.ID, Limit: likeAmong}
	if e.Topic != "" {
		q.Topic, q.Limit = e.Topic, 1
	}
	earlier, err := w.o.Journal.Find(ctx, q)
	if err != nil {
		w.o.Logger.Debug("looking for the exchange before", "error", err)
	}
	path, _, _ := strings.Cut(e.Target, "?")
	for _, x := range earlier {
		if other, _, _ := strings.Cut(x.Target, "?"); other == path && x.Method == e.Method {
			if x.ID != e.Of {
				add(x, "the one before")
			}
			return
		}
	}
}

// lastTarget is where the newest delivery went, or nothing.
func (w *window) lastTarget(ctx context.Context) string {
	found, err := w.o.Journal.Find(ctx, capture.Query{Door: capture.Local, Limit: 1})
	if err != nil || len(found) == 0 || found[0].Host == "" {
		return ""
	}
	return "http://" + redact.Terminal(found[0].Host)
}
