package cli

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"bcdev/capture"
	"bcdev/internal/deliver"
	"bcdev/internal/export"
	"bcdev/internal/inspect"
	"bcdev/internal/serve"
)

// windowServer answers at the window.
func (s *session) windowServer() (*http.Server, error) {
	courier, err := s.windowCourier()
	if err != nil {
		return nil, err
	}
	actor := &windowActor{s: s, courier: courier}
	h, err := inspect.New(inspect.Options{
		Journal: s.journal, Key: s.windowKey,
		Status: s.windowStatus, ReadOnly: s.windowReadOnly,
		Replay: actor.replay, Trigger: actor.trigger, Call: s.windowCall,
		Export: s.windowExport, Import: s.windowImport,
		Logger: s.log,
	})
	if err != nil {
		return nil, fmt.Errorf("making the window: %w", err)
	}
	guard := serve.Guard{
		Addr:    s.listeners.window.Addr(),
		Refused: s.refused,
	}
	return serve.New(serve.LocalOnly(guard, h), serve.Limits{Logger: s.log}), nil
}

// windowCourier brings what the window replays to the app: the session's own courier, which then
// notices that the app is back, or one for places that the reader names.
func (s *session) windowCourier() (*deliver.Deliverer, error) {
	if s.courier != nil {
		return s.courier, nil
	}
	app, routes, err := destinations(s.cfg)
	if err != nil {
		return nil, err
	}
	o := deliverTo(s.cfg, app, routes)
	o.Journal, o.Logger = s.journal, s.log
	o.Public = func() *url.URL { u, _ := url.Parse(s.tunnel.URL()); return u }
	o.Code = func(store string, _ []string) string { return freshCode(s.vault, store) }
	return deliver.New(o), nil
}

// windowReadOnly reports whether calls that could change a store are refused; "" is the current
// one.
func (s *session) windowReadOnly(name string) bool {
	if name == "" {
		name, _ = s.vault.Current()
	}
	hash, ok := s.vault.Resolve(name)
	if !ok {
		hash = name
	}
	return s.readOnly(hash)
}

// windowStatus is what the head of the window shows.
func (s *session) windowStatus() inspect.Status {
	state, since := s.tunnel.State()
	ready := s.ready()
	out := inspect.Status{
		Version: programVersion(), PublicURL: ready.PublicURL, ProxyURL: localURL(s.listeners.api.Addr()),
		Forward: ready.ForwardURL, App: ready.Forward, Callbacks: ready.Callbacks, ReadOnly: s.cfg.Proxy.ReadOnly,
		Link: inspect.Link{Provider: s.tunnel.Provider(), State: string(state), Since: since.UTC(), LastBeat: s.tunnel.LastBeat().UTC()},
	}
	quotas := s.door.Quotas()
	for _, e := range s.vault.Stores() {
		store := inspect.Store{Store: e.Hash, Alias: e.Alias, Current: e.Current, ReadOnly: s.readOnly(e.Hash)}
		if q, ok := quotas[e.Hash]; ok {
			store.Quota = &inspect.Quota{
				Limit: q.Limit, Left: q.Left, Window: q.Window.Milliseconds(), Reset: q.Reset.Milliseconds(), At: q.At.UTC(),
			}
		}
		out.Stores = append(out.Stores, store)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if n, oldest, err := s.journal.Waiting(ctx); err == nil && n > 0 {
		out.Waiting = inspect.Waiting{Count: n, Oldest: oldest.UTC()}
	}
	return out
}

// windowForms are name endings and media types of what the window exports.
var windowForms = map[string][2]string{
	"har": {".har", "application/json"}, "curl": {".sh", "text/plain; charset=utf-8"}, "http": {".http", "text/plain; charset=utf-8"},
	"fetch": {".mjs", "text/plain; charset=utf-8"}, "go": {".go", "text/plain; charset=utf-8"}, "php": {".php", "text/plain; charset=utf-8"},
	"powershell": {".ps1", "text/plain; charset=utf-8"}, "postman": {"", "application/json"}, "fixture": {".json", "application/json"},
}

// windowExport writes exchanges without any secret: a window has no terminal to ask at.
func (s *session) windowExport(es []capture.Exchange, as string) ([]inspect.File, error) {
	o, err := s.p.exportOptions(s.cfg, s.vault, exportFlags{viaDoor: true})
	if err != nil {
		return nil, err
	}
	o.Door = localURL(s.listeners.api.Addr())
	written, err := render(es, as, o)
	if err != nil {
		return nil, fmt.Errorf("exporting: %w", err)
	}
	form := windowForms[as]
	var files []inspect.File
	for _, f := range written {
		files = append(files, inspect.File{Name: form[0] + f.suffix, Type: form[1], Body: f.body})
	}
	return files, nil
}

func (s *session) windowImport(ctx context.Context, har []byte) ([]int64, error) {
	read, err := export.ReadHAR(bytes.NewReader(har))
	if err != nil {
		return nil, &inspect.Problem{Status: http.StatusBadRequest, Code: "not_har", Message: err.Error(),
			Next: "choose a HAR file, as browsers and bcdev export write it", Err: err}
	}
	ids, err := s.journal.Import(ctx, read)
	if err != nil {
		return nil, fmt.Errorf("writing the journal: %w", err)
	}
	return ids, nil
}
