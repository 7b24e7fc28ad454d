package callback

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
)

// landedLimit is how many codes are remembered after their exchange, so that a page refresh
// finds out what became of it.
const landedLimit = 256

// flight is the exchange of one code. Everybody who brings the same code waits for the same one:
// a code can be spent once, and a second POST would only earn invalid_grant.
type flight struct {
	id    atomic.Int64  // the exchange that brought the code first
	done  chan struct{} // closed when grant and err are final
	grant bigcommerce.Grant
	err   error
}

// exchange is the ID of the exchange that brought the code first, or 0 when it is not known.
func (f *flight) exchange() int64 { return f.id.Load() }

func (f *flight) over() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// board returns the flight of code. The caller who is first must call fly.
func (h *Handler) board(code string) (f *flight, first bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f, ok := h.flights[code]; ok && (!f.over() || !mayRetry(f.err)) {
		return f, false
	}
	if h.o.Spent != nil {
		if g, ok := h.o.Spent(code); ok {
			return landedFlight(g), false
		}
	}
	f = &flight{done: make(chan struct{})}
	h.flights[code] = f
	return f, true
}

func landedFlight(g bigcommerce.Grant) *flight {
	f := &flight{done: make(chan struct{}), grant: g}
	close(f.done)
	return f
}

// fly spends the code of f in the background. It outlives the browser's request and an
// interrupted program alike, within its own time limit: the token it buys cannot be had again.
func (h *Handler) fly(ctx context.Context, f *flight, e capture.Exchange, in bigcommerce.Install) {
	f.id.Store(e.ID)
	if h.o.Exchange == nil {
		h.land(f, in, bigcommerce.Grant{}, nil)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), exchangeTimeout)
	go func() {
		defer cancel()
		g, err := h.spend(ctx, in)
		if err == nil && h.o.Keep != nil {
			if kept := h.o.Keep(in.Code, g); kept != nil {
				h.o.Told.Refused(e, fmt.Errorf("keeping the grant of %s: %w", g.Store, kept))
			}
		}
		if err != nil {
			h.o.Told.Refused(e, err)
		} else {
			h.o.Told.Granted(e, g, false)
		}
		h.land(f, in, g, err)
	}()
}

func (h *Handler) spend(ctx context.Context, in bigcommerce.Install) (bigcommerce.Grant, error) {
	if h.o.RedirectURI == nil {
		return bigcommerce.Grant{}, errors.New("spending the code: no auth callback URL is known")
	}
	g, err := h.o.Exchange(ctx, in, h.o.RedirectURI())
	if err == nil && g.Store == "" {
		g.Store = in.Store
	}
	return g, err
}

// land makes the outcome of f known. With no exchange of ours the code is the app's to spend, and
// a second callback must find out from the vault whether it was.
func (h *Handler) land(f *flight, in bigcommerce.Install, g bigcommerce.Grant, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f.grant, f.err = g, err
	close(f.done)
	if h.o.Exchange == nil {
		delete(h.flights, in.Code)
		return
	}
	h.landed = append(h.landed, in.Code)
	if len(h.landed) > landedLimit {
		oldest := h.landed[0]
		if f, ok := h.flights[oldest]; ok && f.over() {
			delete(h.flights, oldest)
		}
		h.landed = h.landed[1:]
	}
}

// underWay returns a flight that is not over, or nil.
func (h *Handler) underWay() *flight {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.flights {
		if !f.over() {
			return f
		}
	}
	return nil
}

// disembark forgets what was bought for store, after its uninstall.
func (h *Handler) disembark(store string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for code, f := range h.flights {
		if f.over() && f.grant.Store == store {
			delete(h.flights, code)
		}
	}
}

// mayRetry reports whether an exchange failed before BigCommerce looked at the code, so that the
// same code is still good once the cause is mended.
func mayRetry(err error) bool {
	var e *bigcommerce.ExchangeError
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case "unreachable", "redirect_uri_mismatch", "invalid_client":
		return true
	}
	return false
}
