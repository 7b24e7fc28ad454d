package inspect

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"bcdev/capture"
)

// Bounds of what acts.
const (
	actLimit   = 3 * time.Minute
	mostTimes  = 100
	mostChange = 100
)

// ReplayRequest says how an exchange is brought to the local app again.
type ReplayRequest struct {
	To string `json:"to,omitempty"` // URL, instead of the app
	// Resign signs payloads and webhooks anew, with fresh times. Absent means true.
	Resign *bool `json:"resign,omitempty"`
	// Set changes parts: "method", "path", "query" (the whole of it), "query.NAME", "header.NAME",
	// "body" (the whole of it), "body.a.b.0", "claims.url".
	Set     map[string]string `json:"set,omitempty"`
	Times   int               `json:"times,omitempty"`   // 0 means 1
	Confirm bool              `json:"confirm,omitempty"` // for API calls that may change the store
}

// Fresh reports whether signatures are to be made anew.
func (r ReplayRequest) Fresh() bool { return r.Resign == nil || *r.Resign }

// TriggerRequest says which callback or webhook is to be made out of nothing.
type TriggerRequest struct {
	Event string            `json:"event"` // auth, load, uninstall, remove_user, or a webhook's scope
	Store string            `json:"store,omitempty"`
	URL   string            `json:"url,omitempty"` // deep link of a load
	To    string            `json:"to,omitempty"`
	Set   map[string]string `json:"set,omitempty"`
}

// Replayed is what became of one attempt.
type Replayed struct {
	ID          int64    `json:"id"` // the attempt's exchange
	Status      int      `json:"status"`
	MS          float64  `json:"ms"`
	Verdict     string   `json:"verdict,omitempty"` // same, fixed, regressed, failing
	Before      int64    `json:"before,omitempty"`  // the attempt it is compared with
	BeforeState int      `json:"before_status,omitempty"`
	Failed      string   `json:"failed,omitempty"`
	Resigned    []string `json:"resigned,omitempty"`
	Differences []string `json:"differences,omitempty"`
	Diff        string   `json:"diff,omitempty"`
	Error       string   `json:"error,omitempty"`
}

// replays is the answer to a replay.
type replays struct {
	Of      int64      `json:"of"`
	Replays []Replayed `json:"replays"`
}

func (w *window) serveReplay(rw http.ResponseWriter, r *http.Request) {
	e, err := w.get(r, "id")
	if err != nil {
		fail(rw, r, err)
		return
	}
	req := ReplayRequest{}
	if err := readJSON(rw, r, &req); err != nil {
		fail(rw, r, err)
		return
	}
	if err := req.check(); err != nil {
		fail(rw, r, err)
		return
	}
	ctx, done, err := w.act(r)
	if err != nil {
		fail(rw, r, err)
		return
	}
	defer done()
	out := replays{Of: e.ID, Replays: []Replayed{}}
	for range max(req.Times, 1) {
		one, err := w.replayOnce(ctx, e, req)
		if err != nil {
			fail(rw, r, err)
			return
		}
		out.Replays = append(out.Replays, one)
	}
	writeJSON(rw, http.StatusOK, out)
}

func (r ReplayRequest) check() error {
	switch {
	case r.Times < 0 || r.Times > mostTimes:
		return refuse(http.StatusBadRequest, "bad_times", fmt.Sprintf("times is no number from 1 to %d", mostTimes), "replay more than once, but not for ever")
	case len(r.Set) > mostChange:
		return refuse(http.StatusBadRequest, "too_many", fmt.Sprintf("more than %d parts are changed", mostChange), "change fewer")
	}
	return checkSet(r.Set)
}

// checkSet refuses to set a token by hand: it is added behind the point where exchanges are
// recorded, and nowhere else.
func checkSet(set map[string]string) error {
	for key := range set {
		if name, ok := strings.CutPrefix(key, "header."); ok && strings.EqualFold(strings.TrimSpace(name), "X-Auth-Token") {
			return refuse(http.StatusBadRequest, "bad_header", "X-Auth-Token is not set by hand", "leave it out: bcdev adds the token of the store by itself")
		}
	}
	return nil
}

// replayOnce brings a callback or webhook to the app, and repeats an API call through the door.
func (w *window) replayOnce(ctx context.Context, e capture.Exchange, req ReplayRequest) (Replayed, error) {
	if e.Door != capture.API {
		if w.o.Replay == nil {
			return Replayed{}, notHere("replaying")
		}
		return w.o.Replay(ctx, e, req)
	}
	if e.Kind != capture.Call {
		return Replayed{}, refuse(http.StatusUnprocessableEntity, "cannot", "a token exchange is not repeated", "a code can be spent once; replay the install instead")
	}
	call, err := callOf(e, req)
	if err != nil {
		return Replayed{}, err
	}
	called, err := w.call(ctx, call)
	if err != nil {
		return Replayed{}, err
	}
	return Replayed{
		ID: called.ID, Status: called.Status, MS: called.MS, Before: e.ID, BeforeState: e.Status, Verdict: verdictOf(e.Status, called.Status),
	}, nil
}

func verdictOf(before, now int) string {
	wasGood, isGood := before > 0 && before < 400, now > 0 && now < 400
	switch {
	case wasGood && isGood:
		return "same"
	case isGood:
		return "fixed"
	case wasGood:
		return "regressed"
	}
	return "failing"
}

func (w *window) serveTrigger(rw http.ResponseWriter, r *http.Request) {
	req := TriggerRequest{}
	if err := readJSON(rw, r, &req); err != nil {
		fail(rw, r, err)
		return
	}
	if w.o.Trigger == nil {
		fail(rw, r, notHere("triggering"))
		return
	}
	if req.Event == "" {
		fail(rw, r, refuse(http.StatusBadRequest, "no_event", "no event is named", "name auth, load, uninstall, remove_user, or a webhook such as store/order/created"))
		return
	}
	if err := checkSet(req.Set); err != nil {
		fail(rw, r, err)
		return
	}
	ctx, done, err := w.act(r)
	if err != nil {
		fail(rw, r, err)
		return
	}
	defer done()
	one, err := w.o.Trigger(ctx, req)
	if err != nil {
		fail(rw, r, err)
		return
	}
	writeJSON(rw, http.StatusOK, replays{Replays: []Replayed{one}})
}

func (w *window) serveImport(rw http.ResponseWriter, r *http.Request) {
	if w.o.Import == nil {
		fail(rw, r, notHere("importing"))
		return
	}
	const most = 64 << 20
	har, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, most))
	if err != nil {
		fail(rw, r, err)
		return
	}
	ctx, done, err := w.act(r)
	if err != nil {
		fail(rw, r, err)
		return
	}
	defer done()
	ids, err := w.o.Import(ctx, har)
	if err != nil {
		fail(rw, r, err)
		return
	}
	if ids == nil {
		ids = []int64{}
	}
	writeJSON(rw, http.StatusOK, map[string]any{"ids": ids})
}

// act takes a place among what acts, and bounds its time.
func (w *window) act(r *http.Request) (context.Context, func(), error) {
	select {
	case w.acts <- struct{}{}:
	default:
		return nil, nil, refuse(http.StatusServiceUnavailable, "busy", "too much is under way", "wait for what was asked before")
	}
	ctx, cancel := context.WithTimeout(r.Context(), actLimit)
	return ctx, func() { cancel(); <-w.acts }, nil
}

func notHere(what string) error {
	return refuse(http.StatusNotImplemented, "not_here", what+" is not possible in this window", "use the command line: bcdev help")
}

// original is an exchange with what was sealed in its target, for its own page.
func (w *window) original(ctx context.Context, id int64) (capture.Exchange, error) {
	return w.o.Journal.Reveal(ctx, strconv.FormatInt(id, 10))
}
