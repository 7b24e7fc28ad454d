package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// controlError is how the control face refuses.
type controlError struct {
	Status  int    `json:"-"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (e *controlError) Error() string { return e.Message }

func badControl(err error) error {
	return &controlError{http.StatusBadRequest, "bad_request", err.Error()}
}

// tell answers with an error as JSON.
func tell(w http.ResponseWriter, err error) {
	var e *controlError
	if !errors.As(err, &e) {
		e = &controlError{http.StatusBadGateway, "app_unreachable", err.Error()}
	}
	answerJSON(w, e.Status, map[string]any{"error": e})
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	body, err := encode(v)
	if err != nil {
		http.Error(w, `{"error":{"code":"internal","message":"the answer could not be written"}}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

// command is one thing the control face does: it decodes its body, works, and answers.
type command struct {
	method, path, about string
	run                 func(*Sandbox, *http.Request, []byte) (any, error)
}

func commands() []command {
	return []command{
		{"POST", "/install", `opens the app's auth callback: {"store","scope","callback","external","user"}`, doInstall},
		{"POST", "/load", `opens the app: {"store","user","owner","url","channel_id","callback","only"}`, doLoad},
		{"POST", "/uninstall", "uninstalls the app: keys as for load", doUninstall},
		{"POST", "/remove_user", "takes a user's access away: keys as for load", doRemoveUser},
		{"POST", "/webhook", `fires an event: {"scope","data","store","destination"}`, doWebhook},
		{"POST", "/faults", `makes the next answers fail: {"path","method","status","times","latency_ms","rate_headers","reset","cut","body"}`, doFault},
		{"GET", "/faults", "lists the faults that wait", listFaults},
		{"DELETE", "/faults", "ends all faults", clearFaults},
		{"POST", "/clock", `moves the clock: {"advance":"24h"}`, doClock},
		{"GET", "/clock", "tells the time", tellTime},
		{"POST", "/quota", `sets what is left of a store's rate limit: {"left","limit","reset_ms","store"}`, doQuota},
		{"POST", "/callbacks", `registers URLs: {"auth","load","uninstall","remove_user","webhooks"}`, doCallbacks},
		{"GET", "/callbacks", "lists the registered URLs", listCallbacks},
		{"POST", "/token", `makes a store-level API token: {"store","scope"}`, doToken},
		{"GET", "/received", "what came in, in order", listReceived},
		{"DELETE", "/received", "forgets what came in", clearReceived},
	}
}

// controlFace serves /_control/ to this machine's own programs.
func (s *Sandbox) controlFace() http.Handler {
	all := commands()
	return localOnly(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, "/_control")
		if path == "" || path == "/" {
			answerJSON(w, http.StatusOK, describe(all))
			return
		}
		at := slices.IndexFunc(all, func(c command) bool { return c.path == path && c.method == r.Method })
		if at < 0 {
			tell(w, &controlError{http.StatusNotFound, "unknown_command",
				fmt.Sprintf("there is no %s %s here; GET /_control/ lists what there is", r.Method, path)})
			return
		}
		body, truncated, err := readBody(r)
		if err != nil || truncated {
			tell(w, badControl(errors.New("the body could not be read, or is larger than 1 MiB")))
			return
		}
		result, err := all[at].run(s, r, body)
		if err != nil {
			tell(w, err)
			return
		}
		answerJSON(w, http.StatusOK, result)
	}))
}

func describe(all []command) map[string]string {
	list := map[string]string{}
	for _, c := range all {
		list[c.method+" "+c.path] = c.about
	}
	return list
}

// decode reads a JSON body strictly; an empty body is an empty object.
func decode(body []byte, into any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		text := strings.TrimPrefix(err.Error(), "json: ")
		if name, ok := strings.CutPrefix(text, "unknown field "); ok {
			return badControl(fmt.Errorf("unknown key %s; GET /_control/ lists the keys", name))
		}
		return badControl(fmt.Errorf("the body is not the JSON that is expected: %s", text))
	}
	if _, err := d.Token(); err != io.EOF {
		return badControl(errors.New("the body holds more than one JSON value"))
	}
	return nil
}

func doInstall(s *Sandbox, r *http.Request, body []byte) (any, error) {
	var in InstallRequest
	if err := decode(body, &in); err != nil {
		return nil, err
	}
	return s.Install(r.Context(), in)
}

func doFault(s *Sandbox, _ *http.Request, body []byte) (any, error) {
	var f fault
	if err := decode(body, &f); err != nil {
		return nil, err
	}
	if err := s.faults.add(f); err != nil {
		return nil, badControl(err)
	}
	return map[string]any{"faults": s.faults.pending()}, nil
}

func listFaults(s *Sandbox, _ *http.Request, _ []byte) (any, error) {
	return map[string]any{"faults": s.faults.pending()}, nil
}

func clearFaults(s *Sandbox, _ *http.Request, _ []byte) (any, error) {
	s.faults.clear()
	return map[string]any{"faults": []fault{}}, nil
}

func doClock(s *Sandbox, r *http.Request, body []byte) (any, error) {
	var in struct {
		Advance string `json:"advance"`
	}
	if err := decode(body, &in); err != nil {
		return nil, err
	}
	d, err := time.ParseDuration(in.Advance)
	if err != nil || d < 0 || d > 20*366*24*time.Hour {
		return nil, badControl(errors.New(`"advance" must be a duration forward such as "90s" or "24h"`))
	}
	if err := s.Advance(r.Context(), d); err != nil {
		return nil, err
	}
	return tellTime(s, r, nil)
}

func tellTime(s *Sandbox, _ *http.Request, _ []byte) (any, error) {
	now := s.clock.Now()
	return map[string]any{"now": now.Format(time.RFC3339Nano), "unix": now.Unix(), "waiting_webhooks": s.courier.waiting()}, nil
}

func doQuota(s *Sandbox, _ *http.Request, body []byte) (any, error) {
	in := struct {
		Left    *int   `json:"left"`
		Limit   *int   `json:"limit"`
		ResetMS *int64 `json:"reset_ms"`
		Store   string `json:"store"`
	}{Store: s.options.Store}
	if err := decode(body, &in); err != nil {
		return nil, err
	}
	shop := s.findShop(in.Store)
	if shop == nil {
		return nil, badControl(fmt.Errorf("there is no store %q; install the app there first", in.Store))
	}
	shop.mu.Lock()
	defer shop.mu.Unlock()
	now, q := s.clock.Now(), &shop.quota
	q.roll(now)
	limit, reset := or(in.Limit, q.limit), or(in.ResetMS, quotaWindow.Milliseconds())
	left := or(in.Left, min(q.left, limit))
	if left < 0 || limit < 1 || limit > 1e9 || reset < 0 || reset > time.Hour.Milliseconds() {
		return nil, badControl(errors.New(`"left" must be 0 or more, "limit" 1 or more, "reset_ms" at most an hour`))
	}
	q.limit = limit
	q.set(left, now, time.Duration(reset)*time.Millisecond)
	return map[string]any{"store": in.Store, "left": q.left, "limit": q.limit, "reset_ms": reset}, nil
}

// or is what was given, or else the usual.
func or[T any](given *T, usual T) T {
	if given != nil {
		return *given
	}
	return usual
}

func doCallbacks(s *Sandbox, _ *http.Request, body []byte) (any, error) {
	in := s.Callbacks()
	if err := decode(body, &in); err != nil {
		return nil, err
	}
	for _, u := range []string{in.Auth, in.Load, in.Uninstall, in.RemoveUser, in.Webhooks} {
		if _, err := callbackURL(u, nil); u != "" && err != nil {
			return nil, badControl(err)
		}
	}
	s.SetCallbacks(in)
	return in, nil
}

func listCallbacks(s *Sandbox, _ *http.Request, _ []byte) (any, error) { return s.Callbacks(), nil }

func doToken(s *Sandbox, _ *http.Request, body []byte) (any, error) {
	in := struct {
		Store string   `json:"store"`
		Scope []string `json:"scope"`
	}{s.options.Store, s.options.Scopes}
	if err := decode(body, &in); err != nil {
		return nil, err
	}
	if s.openShop(in.Store) == nil {
		return nil, badControl(badStore(in.Store))
	}
	token, ok := s.grants.mint(in.Store, in.Scope)
	if !ok {
		return nil, badControl(fmt.Errorf("there are %d tokens already", maxTokens))
	}
	return map[string]any{"store": in.Store, "access_token": token, "scope": in.Scope}, nil
}

func listReceived(s *Sandbox, _ *http.Request, _ []byte) (any, error) { return s.received.list(), nil }

func clearReceived(s *Sandbox, _ *http.Request, _ []byte) (any, error) {
	s.received.clear()
	return []Received{}, nil
}
