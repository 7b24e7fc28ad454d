package export

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"bcdev/capture"
	"bcdev/internal/redact"
)

const postmanSchema = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"

type (
	postmanCollection struct {
		Info     postmanInfo  `json:"info"`
		Item     []any        `json:"item"`
		Variable []postmanVar `json:"variable"`
	}
	postmanInfo struct {
		Name        string `json:"name"`
		Description string `json:"description"`
		Schema      string `json:"schema"`
	}
	postmanFolder struct {
		Name string        `json:"name"`
		Item []postmanItem `json:"item"`
	}
	postmanItem struct {
		Name     string            `json:"name"`
		Request  postmanRequest    `json:"request"`
		Response []postmanResponse `json:"response"`
	}
	postmanRequest struct {
		Method      string       `json:"method"`
		Header      []postmanVar `json:"header"`
		URL         postmanURL   `json:"url"`
		Body        *postmanBody `json:"body,omitempty"`
		Description string       `json:"description,omitempty"`
	}
	postmanURL struct {
		Raw   string       `json:"raw"`
		Host  []string     `json:"host"`
		Path  []string     `json:"path"`
		Query []postmanVar `json:"query,omitempty"`
	}
	postmanBody struct {
		Mode    string          `json:"mode"`
		Raw     string          `json:"raw"`
		Options json.RawMessage `json:"options,omitempty"`
	}
	postmanResponse struct {
		Name     string         `json:"name"`
		Original postmanRequest `json:"originalRequest"`
		Status   string         `json:"status"`
		Code     int            `json:"code"`
		Header   []postmanVar   `json:"header"`
		Body     string         `json:"body"`
	}
	postmanVar struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	postmanEnvironment struct {
		Name   string            `json:"name"`
		Values []postmanEnvValue `json:"values"`
		Scope  string            `json:"_postman_variable_scope"`
	}
	postmanEnvValue struct {
		Key     string `json:"key"`
		Value   string `json:"value"`
		Type    string `json:"type"`
		Enabled bool   `json:"enabled"`
	}
)

// Postman writes exchanges as a collection of Postman's format 2.1, and the environment that
// goes with it. API calls go through the door, which adds the token, so neither file has one.
// The variables are base_url, the door, and app_url, the local app.
func Postman(exchanges []capture.Exchange, o Options) (collection, environment []byte, err error) {
	o = o.withDefaults()
	if o.App == "" {
		o.App = "http://localhost:3000"
	}
	vars := []postmanVar{{"base_url", o.Door}, {"app_url", o.App}}
	c := postmanCollection{
		Info: postmanInfo{"bcdev", "Captured with bcdev. API calls go through its API door, which adds the access token: run bcdev up first.", postmanSchema},
		Item: postmanItems(exchanges, o), Variable: vars,
	}
	env := postmanEnvironment{Name: "bcdev", Scope: "environment"}
	for _, v := range vars {
		env.Values = append(env.Values, postmanEnvValue{v.Key, v.Value, "default", true})
	}
	if collection, err = json.MarshalIndent(c, "", "  "); err != nil {
		return nil, nil, fmt.Errorf("writing the collection: %w", err)
	}
	if environment, err = json.MarshalIndent(env, "", "  "); err != nil {
		return nil, nil, fmt.Errorf("writing the environment: %w", err)
	}
	return append(collection, '\n'), append(environment, '\n'), nil
}

// postmanItems puts every kind in a folder of its own, in the order they first appear.
func postmanItems(exchanges []capture.Exchange, o Options) []any {
	var folders []*postmanFolder
	for _, e := range oldestFirst(exchanges) {
		name := folderName(e)
		i := slices.IndexFunc(folders, func(f *postmanFolder) bool { return f.Name == name })
		if i < 0 {
			i = len(folders)
			folders = append(folders, &postmanFolder{Name: name})
		}
		folders[i].Item = append(folders[i].Item, postmanItemOf(e, o))
	}
	items := []any{}
	for _, f := range folders {
		items = append(items, f)
	}
	return items
}

func folderName(e capture.Exchange) string {
	switch {
	case e.Kind == capture.Hook:
		return "webhooks"
	case e.Door == capture.API && e.Store != "":
		return "API, store " + e.Store
	case e.Door == capture.API:
		return "API"
	}
	return "callbacks"
}

func postmanItemOf(e capture.Exchange, o Options) postmanItem {
	o.ViaDoor, o.WithSecrets = true, nil
	r := newRequest(e, o)
	variable, base := "{{app_url}}", o.App
	if e.Door == capture.API {
		variable, base = "{{base_url}}", o.Door
	}
	rest := storePath(e, strings.TrimPrefix(r.url, base))
	path, _, _ := strings.Cut(rest, "?")
	p := postmanRequest{
		Method: r.method, Header: []postmanVar{}, Description: strings.Join(r.notes, "\n"),
		URL: postmanURL{Raw: variable + rest, Host: []string{variable}, Path: strings.Split(strings.TrimPrefix(path, "/"), "/"), Query: rawQuery(rest)},
	}
	for _, h := range r.header {
		p.Header = append(p.Header, postmanVar{h.name, h.value})
	}
	p.takeBody(r)
	item := postmanItem{Name: r.method + " " + path, Request: p, Response: []postmanResponse{}}
	if e.Topic != "" {
		item.Name = e.Topic
	}
	if e.Status > 0 {
		item.Response = append(item.Response, postmanAnswer(e, p))
	}
	return item
}

// storePath names the store in an API path, so that the collection still means it when another
// store is the current one.
func storePath(e capture.Exchange, rest string) string {
	if e.Door != capture.API || e.Store == "" || strings.HasPrefix(rest, "/stores/") || e.Kind == capture.Token {
		return rest
	}
	return "/stores/" + e.Store + rest
}

// rawQuery lists the parameters as they stand in the URL: Postman does not unescape them.
func rawQuery(target string) []postmanVar {
	_, query, found := strings.Cut(target, "?")
	if !found || query == "" {
		return nil
	}
	var out []postmanVar
	for part := range strings.SplitSeq(query, "&") {
		name, v, _ := strings.Cut(part, "=")
		out = append(out, postmanVar{name, v})
	}
	return out
}

func (p *postmanRequest) takeBody(r request) {
	switch {
	case len(r.body) == 0:
		return
	case !utf8.Valid(r.body):
		p.Description = strings.TrimSpace(p.Description + "\nthe body is binary, which a collection cannot hold")
		return
	}
	p.Body = &postmanBody{Mode: "raw", Raw: string(r.body)}
	if strings.Contains(r.get("Content-Type"), "json") {
		p.Body.Options = json.RawMessage(`{"raw":{"language":"json"}}`)
	}
}

func postmanAnswer(e capture.Exchange, original postmanRequest) postmanResponse {
	a := postmanResponse{Name: "captured", Original: original, Status: http.StatusText(e.Status), Code: e.Status, Header: []postmanVar{}}
	for _, h := range headersOf(e.Response.Header) {
		if !strings.EqualFold(h.Name, "Content-Encoding") {
			a.Header = append(a.Header, postmanVar{h.Name, h.Value})
		}
	}
	body, _, _ := e.Response.Decoded(unpackLimit)
	if body = redact.Body(e.Target, e.Response.Header.Get("Content-Type"), body); utf8.Valid(body) {
		a.Body = string(body)
	}
	return a
}
