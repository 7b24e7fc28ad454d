package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"bcdev/capture"
	"bcdev/internal/deliver"
	"bcdev/internal/inspect"
)

// windowActor does what the window's reader asks for.
type windowActor struct {
	s       *session
	courier *deliver.Deliverer
}

// replay brings a captured callback or webhook to the app again.
func (a *windowActor) replay(ctx context.Context, e capture.Exchange, r inspect.ReplayRequest) (inspect.Replayed, error) {
	request, body, err := windowReplay(e, r)
	if err != nil {
		return inspect.Replayed{}, err
	}
	if body != nil {
		return a.replayEdited(ctx, e, request, []byte(*body))
	}
	result, err := a.courier.Replay(ctx, e, request)
	if err != nil {
		return inspect.Replayed{}, err
	}
	return windowResult(result), nil
}

// windowReplay puts a request of the window into the courier's words. The whole body, when it is
// to be another one, is not among them.
func windowReplay(e capture.Exchange, r inspect.ReplayRequest) (out deliver.Replay, body *string, err error) {
	out = deliver.Replay{AsIs: !r.Fresh(), Set: map[string]string{}}
	if out.To, err = windowTarget(r.To); err != nil {
		return out, nil, err
	}
	query, newQuery := "", false
	for key, value := range r.Set {
		switch key {
		case "body":
			body = &value
		case "query":
			query, newQuery = value, true
		default:
			out.Set[key] = value
		}
	}
	if newQuery {
		path, _, _ := strings.Cut(e.Target, "?")
		if set, ok := out.Set["path"]; ok {
			path, _, _ = strings.Cut(set, "?")
		}
		out.Set["path"] = path + "?" + query
	}
	return out, body, nil
}

func windowTarget(to string) (*url.URL, error) {
	if to == "" {
		return nil, nil
	}
	u, err := url.Parse(to)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, &inspect.Problem{Status: http.StatusBadRequest, Code: "bad_target", Message: "that is no http or https URL",
			Next: "give the app's address as http://localhost:3000"}
	}
	return u, nil
}

// replayEdited brings an exchange with another body. For the courier it is a new one; afterwards
// it is linked to the exchange it came from, and compared with the attempt before it.
func (a *windowActor) replayEdited(ctx context.Context, e capture.Exchange, r deliver.Replay, body []byte) (inspect.Replayed, error) {
	id := e.ID
	if e.Door == capture.Local && e.Of != 0 {
		id = e.Of
	}
	original, err := a.s.journal.Reveal(ctx, strconv.FormatInt(id, 10))
	if err != nil {
		return inspect.Replayed{}, err
	}
	last, err := a.s.journal.Find(ctx, capture.Query{Door: capture.Local, Of: id, Limit: 1})
	if err != nil {
		return inspect.Replayed{}, fmt.Errorf("reading the last attempt: %w", err)
	}
	original.ID, original.Door = 0, capture.Public
	original.Request.Body, original.Request.Truncated, original.Request.Dropped = body, false, false
	original.Request.Size, original.Request.SHA256 = int64(len(body)), ""
	original.Request.Header.Del("Content-Encoding")
	result, err := a.courier.Replay(ctx, original, r)
	if err != nil {
		return inspect.Replayed{}, err
	}
	if len(last) > 0 {
		result.Before = &last[0]
		result.Verdict = comparedWith(last[0], result.Exchange)
	}
	result.Exchange.Of, result.Exchange.Verdict = id, result.Verdict
	result.Differences = append(result.Differences, "body: edited")
	err = a.s.journal.Amend(ctx, result.Exchange.ID, func(x *capture.Exchange) { x.Of, x.Verdict = id, result.Verdict })
	if err != nil {
		return inspect.Replayed{}, fmt.Errorf("linking the replay: %w", err)
	}
	return windowResult(result), nil
}

func comparedWith(before, now capture.Exchange) string {
	good := func(e capture.Exchange) bool { return e.Err == "" && e.Status >= 100 && e.Status < 400 }
	switch wasGood, isGood := good(before), good(now); {
	case wasGood && isGood:
		return deliver.Same
	case isGood:
		return deliver.Fixed
	case wasGood:
		return deliver.Regressed
	}
	return deliver.Failing
}

func windowResult(r deliver.Result) inspect.Replayed {
	e := r.Exchange
	out := inspect.Replayed{
		ID: e.ID, Status: e.Status, MS: float64(e.Took.Microseconds()) / 1000, Verdict: r.Verdict, Failed: r.Failed,
		Resigned: r.Resigned, Differences: r.Differences, Diff: r.Diff, Error: e.Err,
	}
	if r.Before != nil {
		out.Before, out.BeforeState = r.Before.ID, r.Before.Status
	}
	return out
}

// trigger makes a callback or webhook out of nothing.
func (a *windowActor) trigger(ctx context.Context, r inspect.TriggerRequest) (inspect.Replayed, error) {
	t, err := (triggerFlags{store: r.Store, url: r.URL}).trigger(r.Event, a.s.cfg, a.s.vault)
	if err != nil {
		return inspect.Replayed{}, err
	}
	if public, err := url.Parse(a.s.tunnel.URL()); err == nil {
		t.Host = public.Host
	}
	replay := deliver.Replay{Set: r.Set}
	if replay.To, err = windowTarget(r.To); err != nil {
		return inspect.Replayed{}, err
	}
	if t.Kind == capture.Hook { // what is set is part of the body that is signed
		t.Set, replay.Set = r.Set, nil
	}
	e, err := deliver.Triggered(t, a.s.app(), time.Now())
	if err != nil {
		return inspect.Replayed{}, err
	}
	result, err := a.courier.Replay(ctx, e, replay)
	if err != nil {
		return inspect.Replayed{}, err
	}
	return windowResult(result), nil
}

// Bounds of a call from the window.
const (
	windowCallLimit = 2 * time.Minute
	windowBodyLimit = 8 << 20 // bytes read of an answer
)

// windowCall makes an API call at the API door itself, as any program of the developer would: it
// is recorded, signed and refused there.
func (s *session) windowCall(ctx context.Context, c inspect.CallRequest) (inspect.Called, error) {
	target, err := s.callURL(c)
	if err != nil {
		return inspect.Called{}, err
	}
	before := s.newestExchange(ctx)
	req, err := http.NewRequestWithContext(ctx, c.Method, target, strings.NewReader(c.Body))
	if err != nil {
		return inspect.Called{}, &inspect.Problem{Status: http.StatusBadRequest, Code: "bad_path", Message: "the path cannot be sent", Next: "escape what is not allowed in a URL"}
	}
	for name, values := range c.Headers {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "bcdev-window/"+programVersion())
	}
	client := noRedirects(s.toDoor(), windowCallLimit)
	start := time.Now()
	res, err := client.Do(req)
	if err != nil {
		return inspect.Called{}, fmt.Errorf("calling the API door: %w", errors.Unwrap(err)) // the URL may hold the door's key
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, windowBodyLimit+1))
	called := inspect.Called{
		Status: res.StatusCode, MS: float64(time.Since(start).Microseconds()) / 1000, Headers: res.Header,
		Response: body[:min(len(body), windowBodyLimit)], Cut: len(body) > windowBodyLimit || err != nil, Size: int64(len(body)),
		Hint: res.Header.Get("Bcdev-Hint"), Error: res.Header.Get("Bcdev-Error"),
	}
	called.ID = s.callOf(ctx, before, c)
	return called, nil
}

// toDoor connects with the API door, which may be a socket.
func (s *session) toDoor() *http.Transport {
	t := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	if addr := s.listeners.api.Addr(); addr.Network() == "unix" {
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", addr.String())
		}
	}
	return t
}

// callURL is a call's address at the API door.
func (s *session) callURL(c inspect.CallRequest) (string, error) {
	target := s.doorURL()
	if strings.HasPrefix(target, "unix://") {
		target = "http://localhost" + strings.TrimPrefix(target, localURL(s.listeners.api.Addr()))
	}
	if c.Store != "" && !strings.HasPrefix(c.Path, "/stores/") {
		hash, ok := s.vault.Resolve(c.Store)
		if !ok {
			return "", &inspect.Problem{Status: http.StatusNotFound, Code: "unknown_store", Message: "this store is not known", Next: "choose one of the list, or install the app on it"}
		}
		target += "/stores/" + hash
	}
	target += c.Path
	if c.Query != "" {
		target += "?" + c.Query
	}
	return target, nil
}

func (s *session) newestExchange(ctx context.Context) int64 {
	found, err := s.journal.Find(ctx, capture.Query{Limit: 1})
	if err != nil || len(found) == 0 {
		return 0
	}
	return found[0].ID
}

// callOf finds a call that was just made in the journal, and links it to the one it repeats.
func (s *session) callOf(ctx context.Context, before int64, c inspect.CallRequest) int64 {
	if err := s.journal.Flush(ctx); err != nil {
		return 0
	}
	found, err := s.journal.Find(ctx, capture.Query{Door: capture.API, Method: c.Method, After: before, Limit: 20, Bodies: c.Body != ""})
	if err != nil {
		return 0
	}
	_, tail, _ := strings.Cut(strings.TrimPrefix(c.Path, "/stores/"), "/")
	for _, e := range found {
		if e.Via != "" || !strings.Contains(e.Target, tail) || c.Body != "" && !e.Request.Truncated && !bytes.Equal(e.Request.Body, []byte(c.Body)) {
			continue
		}
		if c.Of != 0 {
			_ = s.journal.Amend(ctx, e.ID, func(x *capture.Exchange) { x.Of, x.Via = c.Of, "replay" }) // a link less is no failure
		}
		return e.ID
	}
	return 0
}
