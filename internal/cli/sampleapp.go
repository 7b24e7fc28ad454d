package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"bcdev/internal/serve"
)

// sampleApp is the local app of the demo: it answers an install the way most apps do, with an
// exchange of its own. Its token URL is the API door.
type sampleApp struct {
	s        *session
	listener net.Listener
}

func newSampleApp(s *session) (*sampleApp, error) {
	l, err := serve.Listen("127.0.0.1:0", false)
	if err != nil {
		return nil, fmt.Errorf("opening the sample app: %w", err)
	}
	return &sampleApp{s, l}, nil
}

func (a *sampleApp) Close() error { return a.listener.Close() }

func (a *sampleApp) url() *url.URL {
	return &url.URL{Scheme: "http", Host: a.listener.Addr().String()}
}

func (a *sampleApp) door() serve.Door {
	mux := http.NewServeMux()
	paths := a.s.cfg.App.Callbacks
	mux.HandleFunc("GET "+paths.Auth, a.auth)
	for _, pattern := range []string{"GET /{$}", "GET " + paths.Load, "GET " + paths.Uninstall, "GET " + paths.RemoveUser, "POST " + a.s.cfg.App.Webhooks} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the sample app\n") })
	}
	return serve.Door{Name: "sample app", Listener: a.listener, Server: serve.New(mux, serve.Limits{})}
}

func (a *sampleApp) auth(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	app := a.s.app()
	body, err := json.Marshal(map[string]string{
		"client_id": app.ClientID, "client_secret": app.ClientSecret.Reveal(),
		"code": q.Get("code"), "context": q.Get("context"), "scope": q.Get("scope"),
		"grant_type": "authorization_code", "redirect_uri": a.s.callbackURL(a.s.cfg.App.Callbacks.Auth),
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, a.s.doorURL()+"/oauth2/token", bytes.NewReader(body))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	req.Header.Set("Content-Type", "application/json")
	got, err := fetch(http.DefaultClient, req)
	if err != nil || got.StatusCode != http.StatusOK {
		http.Error(w, "the exchange failed: "+got.String(), http.StatusBadGateway)
		return
	}
	var grant struct {
		Token   string `json:"access_token"`
		Context string `json:"context"`
	}
	if err := json.Unmarshal(got.body, &grant); err != nil || grant.Token == "" {
		http.Error(w, "the exchange gave no token", http.StatusBadGateway)
		return
	}
	http.Redirect(w, r, "/?store="+url.QueryEscape(strings.TrimPrefix(grant.Context, "stores/")), http.StatusFound)
}
