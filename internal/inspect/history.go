package inspect

import (
	"net/http"
	"strings"

	"bcdev/capture"
)

// asked is a GraphQL query that went through the API door.
type asked struct {
	ID        int64  `json:"id"`
	API       string `json:"api"`
	Store     string `json:"store,omitempty"`
	Query     string `json:"query"`
	Variables string `json:"variables,omitempty"`
	Status    int    `json:"status"`
	Short     string `json:"-"`
}

// mostAsked bounds the history.
const mostAsked = 20

func (w *window) serveHistory(rw http.ResponseWriter, r *http.Request) {
	history, err := w.history(r)
	if err != nil {
		fail(rw, r, err)
		return
	}
	if history == nil {
		history = []asked{}
	}
	writeJSON(rw, http.StatusOK, map[string]any{"history": history})
}

// history is read from the journal: the newest queries, each once.
func (w *window) history(r *http.Request) ([]asked, error) {
	found, err := w.o.Journal.Find(r.Context(), capture.Query{
		Kinds: []capture.Kind{capture.Call}, Method: http.MethodPost, Path: "graphql", Limit: 100, Bodies: true,
	})
	if err != nil {
		return nil, err
	}
	var list []asked
	seen := map[string]bool{}
	for _, e := range found {
		query, vars, ok := graphQLOf(e.Request)
		if !ok || seen[query+string(vars)] {
			continue
		}
		seen[query+string(vars)] = true
		a := asked{ID: e.ID, API: apiOf(e), Store: e.Store, Query: query, Status: e.Status}
		a.Short = cell(clipText(strings.Join(strings.Fields(query), " "), 80))
		if string(vars) != "null" {
			a.Variables = string(vars)
		}
		if list = append(list, a); len(list) == mostAsked {
			break
		}
	}
	return list, nil
}

// apiOf tells the Storefront API, which lives at the store's own address and has a path of its own
// at the API door, from the Admin API (BigCommerce docs, GraphQL).
func apiOf(e capture.Exchange) string {
	path, _, _ := strings.Cut(e.Target, "?")
	if strings.HasSuffix(path, "/storefront/graphql") || strings.HasPrefix(originHost(e.Target), "store-") {
		return "storefront"
	}
	return "admin"
}

// originHost is the host of a target in absolute form, as the forward door records it.
func originHost(target string) string {
	if _, rest, absolute := strings.Cut(target, "://"); absolute && !strings.HasPrefix(target, "/") {
		host, _, _ := strings.Cut(rest, "/")
		return host
	}
	return ""
}

// answerView is the answer to a call as the page shows it.
type answerView struct {
	ID      int64
	Status  string
	Grade   string
	Took    string
	Hint    string
	Headers []pair
	Body    bodyView
}

func (p *pages) answer(c Called) string {
	e := capture.Exchange{ID: c.ID, Status: c.Status, Err: "-", Response: capture.Message{Header: c.Headers, Body: c.Response, Size: c.Size, Truncated: c.Cut}}
	v := answerView{ID: c.ID, Took: tookWords(msOf(c.MS)), Hint: cell(c.Hint), Headers: headerPairs(c.Headers), Body: bodyViewOf(e, "response", e.Response)}
	v.Status, v.Grade = statusOf(e)
	if c.ID == 0 {
		v.Body.Download = ""
	}
	return p.fragment("answer", v)
}
