package cli

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
	"bcdev/internal/console"
	"bcdev/internal/vault"
	"bcdev/tunnel"
)

// told passes what the public door hears on to the terminal.
type told struct {
	con    *console.Console
	vault  *vault.Vault
	wanted []string
	codes  *codeBook

	event     func(e capture.Exchange, w bigcommerce.Webhook, signature error)
	installed func(store string)
}

func (t told) Callback(e capture.Exchange, in bigcommerce.Install) {
	t.codes.put(in.Code, e.ID)
	var missing, extra []string
	if len(t.wanted) > 0 {
		missing, extra = bigcommerce.Compare(t.wanted, in.Scopes)
	}
	t.con.Callback(e, in, missing, extra)
}

func (t told) Lifecycle(e capture.Exchange, p bigcommerce.Payload, err error) {
	t.con.Lifecycle(e, p, err)
}

func (t told) Webhook(e capture.Exchange, w bigcommerce.Webhook, signature error) {
	t.con.Webhook(e, w, signature)
	t.event(e, w, signature)
}

func (t told) Granted(e capture.Exchange, g bigcommerce.Grant, again bool) {
	t.con.Granted(e, g, t.vault.Where(), again)
	t.installed(g.Store)
}

func (t told) Refused(e capture.Exchange, err error) { t.con.Refused(e, err) }

// codeBook remembers which callback brought a code, by the code's hash, for an app that makes
// the exchange itself. It keeps the last 200.
type codeBook struct {
	mu    sync.Mutex
	ids   map[[32]byte]int64
	order [][32]byte
}

const codesKept = 200

func newCodeBook() *codeBook { return &codeBook{ids: map[[32]byte]int64{}} }

func (b *codeBook) put(code string, id int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := sha256.Sum256([]byte(code))
	if _, known := b.ids[key]; !known {
		b.order = append(b.order, key)
	}
	b.ids[key] = id
	if len(b.order) > codesKept {
		delete(b.ids, b.order[0])
		b.order = b.order[1:]
	}
}

func (b *codeBook) id(code string) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ids[sha256.Sum256([]byte(code))]
}

// tellLink tells each change of the tunnel's state. A link that is down tries again and again: only
// an attempt that fails for another reason than the last one is news.
func (s *session) tellLink(ctx context.Context) {
	var last tunnel.Event
	for {
		select {
		case <-ctx.Done():
			return
		case e, open := <-s.tunnel.Events():
			if !open {
				return
			}
			news := e.State != last.State || causeOf(e.Err) != causeOf(last.Err)
			begun := last.State != "" || e.State == tunnel.Up // how it came up first is what ready says
			if news && begun {
				s.con.Link(string(e.State), e.At, causeOf(e.Err))
				last = e
			}
		}
	}
}

func causeOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// tellExchanges tells API calls and deliveries as the journal gets them, also those that another
// process brought about.
func (s *session) tellExchanges(told <-chan capture.Exchange) {
	seen := map[capture.Door]int64{}
	for e := range told {
		if e.Door == capture.Public || e.ID <= seen[e.Door] || e.Status == 0 && e.Err == "" {
			continue // told when it arrived, told before, or not over yet
		}
		seen[e.Door] = e.ID
		if isErrand(e) {
			continue // told by whoever sent it
		}
		if e.Door == capture.Local {
			s.con.Delivery(e)
		} else {
			s.con.Exchange(e)
		}
		if s.heard != nil {
			s.heard(e)
		}
	}
}

// warm dials upstream before the first call needs it.
func (s *session) warm(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := s.door.Warm(ctx); err != nil {
		s.log.Debug("warming the upstream connection", "error", err)
	}
}

// runQueue brings waiting exchanges to the local app until ctx ends.
func (s *session) runQueue(ctx context.Context) {
	if err := s.courier.Run(ctx); err != nil && ctx.Err() == nil {
		s.con.Problem("queue", err)
	}
}
