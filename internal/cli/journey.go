package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"bcdev/capture"
	"bcdev/internal/deliver"
	"bcdev/internal/sandbox"
)

// journeyLimit bounds the demo's journey: it is all on this machine.
const journeyLimit = 30 * time.Second

// stepNames are the steps of the journey, in order.
var stepNames = []string{"tunnel", "callback", "exchange", "proxy", "webhook", "replay"}

// journey is what the demo does by itself: an install, a call, a webhook, a replay.
type journey struct {
	s    *session
	far  *farSide
	app  *sampleApp
	held map[string]bool
	told chan capture.Door // what the terminal has told, so that the story keeps its order
	n    int
}

func newJourney(s *session, far *farSide) (*journey, error) {
	app, err := newSampleApp(s)
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, app)
	j := &journey{s: s, far: far, app: app, held: map[string]bool{}, told: make(chan capture.Door, 8)}
	s.heard = func(e capture.Exchange) {
		select {
		case j.told <- e.Door:
		default: // nobody listens any more
		}
	}
	return j, nil
}

// make goes all the steps; a step that fails ends the journey. Once says that nobody stays.
func (j *journey) make(whole context.Context, once bool) error {
	ctx, cancel := context.WithTimeout(whole, journeyLimit)
	defer cancel()
	err := j.walk(ctx)
	ok := err == nil
	for _, name := range stepNames {
		ok = ok && j.held[name]
	}
	if err != nil && ctx.Err() == nil {
		j.s.con.Problem("demo_step", err)
	}
	if once {
		j.s.con.Summary(ok, j.held)
	} else if ok {
		j.s.con.Next(j.next())
	}
	switch {
	case ok:
		return nil
	case !once && whole.Err() != nil: // whoever looks on has seen enough
		return whole.Err()
	}
	return &saidError{exitFailed}
}

func (j *journey) walk(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		j.tunnel, j.install, j.call, j.webhook, j.replay,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// hold says that a step held.
func (j *journey) hold(name, title, detail string) {
	j.held[name] = true
	j.n++
	j.s.con.Step(j.n, title, true, detail)
}

// awaitTold waits until the terminal has told of a call at a door. The journal writes API calls
// behind the answer, so the answer is here first.
func (j *journey) awaitTold(ctx context.Context, d capture.Door) error {
	for {
		select {
		case told := <-j.told:
			if told == d {
				return nil
			}
		case <-ctx.Done():
			return fmt.Errorf("waiting for the journal: %w", ctx.Err())
		}
	}
}

// tunnel asks the public address from outside: our own 404 has to come back through the edge.
func (j *journey) tunnel(ctx context.Context) error {
	res, err := j.get(ctx, j.far.publicClient(), j.s.tunnel.URL()+"/")
	if err != nil {
		return fmt.Errorf("asking the public address: %w", err)
	}
	if res.Header.Get("Ngrok-Error-Code") != "" {
		return fmt.Errorf("the public address answers %s", res.Header.Get("Ngrok-Error-Code"))
	}
	j.hold("tunnel", "the tunnel is open", j.s.tunnel.URL()+" reaches this program")
	return nil
}

// install makes the merchant install the app; callback and exchange happen at the public door.
func (j *journey) install(ctx context.Context) error {
	j.far.sandbox.SetCallbacks(j.s.registered())
	result, err := j.far.sandbox.Install(ctx, sandbox.InstallRequest{})
	if err != nil {
		return fmt.Errorf("installing the app: %w", err)
	}
	e, err := j.s.journal.Get(ctx, "latest auth")
	if err != nil {
		return fmt.Errorf("looking for the callback in the journal: %w", err)
	}
	j.hold("callback", "the merchant installed the app, and BigCommerce called back",
		fmt.Sprintf("code, context and scope are decoded above and kept as #%d", e.ID))
	if result.Status != http.StatusOK || !result.Installed {
		return fmt.Errorf("the exchange did not happen: the callback was answered %d", result.Status)
	}
	if _, known := j.s.vault.Resolve(result.Store); !known {
		return fmt.Errorf("there is no grant for store %s", result.Store)
	}
	j.hold("exchange", "the code was exchanged for the permanent access token",
		"kept in "+j.s.vault.Where())
	return nil
}

// call asks the API through the door, without a credential of its own.
func (j *journey) call(ctx context.Context) error {
	path := "/v3/catalog/products?include=images,variants&limit=1"
	res, err := j.get(ctx, http.DefaultClient, j.s.doorURL()+path)
	if err != nil {
		return fmt.Errorf("calling the API through the proxy: %w", err)
	}
	var answer struct {
		Data []struct {
			Name     string            `json:"name"`
			Images   []json.RawMessage `json:"images"`
			Variants []json.RawMessage `json:"variants"`
		} `json:"data"`
	}
	if err := json.Unmarshal(res.body, &answer); err != nil || res.StatusCode != http.StatusOK || len(answer.Data) == 0 {
		return fmt.Errorf("the proxy answered %d: %.200s", res.StatusCode, res.body)
	}
	if err := j.awaitTold(ctx, capture.API); err != nil {
		return err
	}
	p := answer.Data[0]
	j.hold("proxy", "GET "+path+" through the proxy, which added the credentials",
		fmt.Sprintf("200: %q with %d images and %d variants", p.Name, len(p.Images), len(p.Variants)))
	return nil
}

// webhook makes the store send one; it must arrive signed and be answered at once.
func (j *journey) webhook(ctx context.Context) error {
	res, err := j.post(ctx, j.far.controlURL()+"/webhook", `{"scope":"store/order/created","data":{"type":"order","id":118}}`)
	if err != nil || res.StatusCode != http.StatusOK {
		return fmt.Errorf("making the store send a webhook: %w (%s)", err, res)
	}
	e, err := j.s.journal.Get(ctx, "latest store/order/created")
	if err != nil {
		return fmt.Errorf("looking for the webhook in the journal: %w", err)
	}
	if !marked(e, "signature:valid") {
		return fmt.Errorf("webhook #%d arrived, and its signature is not valid", e.ID)
	}
	j.hold("webhook", "the store sent a webhook", fmt.Sprintf("store/order/created, signature valid, kept as #%d", e.ID))
	return nil
}

// replay brings the captured install to an app that makes its own exchange: it gets the same
// grant, and BigCommerce hears nothing of it.
func (j *journey) replay(ctx context.Context) error {
	spentBefore := j.far.sandbox.Exchanges()
	e, err := j.s.journal.Reveal(ctx, "latest auth")
	if err != nil {
		return fmt.Errorf("looking for the install in the journal: %w", err)
	}
	courier := deliver.New(deliver.Options{
		Journal: j.s.journal, App: j.s.app(), Logger: j.s.log,
		To: func(capture.Exchange) (*url.URL, bool) { return j.app.url(), true },
	})
	result, err := courier.Replay(ctx, e, deliver.Replay{})
	if err != nil {
		return fmt.Errorf("replaying the install: %w", err)
	}
	if result.Exchange.Status != http.StatusFound {
		return fmt.Errorf("the sample app answered the replay with %d: %s", result.Exchange.Status, result.Exchange.Response.Body)
	}
	if err := j.awaitTold(ctx, capture.Local); err != nil {
		return err
	}
	if spentAfter := j.far.sandbox.Exchanges(); spentAfter != spentBefore {
		return fmt.Errorf("the replay reached the token endpoint")
	}
	j.hold("replay", "the install was replayed to an app that makes its own exchange",
		"it got the same grant from the proxy; BigCommerce's token endpoint heard nothing")
	return nil
}

// next is what a newcomer can try while the demo is up.
func (j *journey) next() []string {
	door, bcdev := j.s.doorURL(), j.s.p.called()+" --state-dir "+shellWord(j.s.state)
	return []string{
		"curl '" + door + "/v3/catalog/products?include=images,variants&limit=2'",
		"curl -so /dev/null -X POST " + j.far.controlURL() + "/install",
		"curl -X POST " + j.far.controlURL() + `/webhook -d '{"scope":"store/order/created"}'`,
		bcdev + " list",
		bcdev + " replay latest auth",
		bcdev + " trigger load --url /orders",
	}
}

func marked(e capture.Exchange, mark string) bool {
	for _, m := range e.Marks {
		if m == mark {
			return true
		}
	}
	return false
}

// answer is a response that was read to its end.
type answer struct {
	*http.Response
	body []byte
}

func (a *answer) String() string {
	if a == nil {
		return "no answer"
	}
	return strings.TrimSpace(a.Status + " " + string(a.body))
}

func (j *journey) get(ctx context.Context, c *http.Client, url string) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return fetch(c, req)
}

func (j *journey) post(ctx context.Context, url, body string) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	return fetch(http.DefaultClient, req)
}

// fetch sends req and reads at most 1 MiB of the answer.
func fetch(c *http.Client, req *http.Request) (*answer, error) {
	res, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return &answer{res, body}, err
}
