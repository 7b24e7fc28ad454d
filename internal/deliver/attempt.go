package deliver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"net"
	"net/http"
	"time"

	"bcdev/capture"
	"bcdev/internal/redact"
)

// keepTimeout is how long the journal may take to have an attempt.
const keepTimeout = 10 * time.Second

// attempt is one try to bring an exchange to the app, while it becomes an exchange itself.
type attempt struct {
	e        capture.Exchange
	start    time.Time
	now      func() time.Time
	asked    *keeper
	answered *keeper
}

// begin describes req, which delivers of.
func (d *Deliverer) begin(req *http.Request, of capture.Exchange, via string) *attempt {
	a := &attempt{
		start:    d.o.Now(),
		now:      d.o.Now,
		asked:    newKeeper(d.o.BodyLimit),
		answered: newKeeper(d.o.BodyLimit),
	}
	a.e = capture.Exchange{
		Door:   capture.Local,
		Kind:   of.Kind,
		Topic:  of.Topic,
		Store:  of.Store,
		At:     a.start,
		Method: req.Method,
		Target: req.URL.RequestURI(),
		Host:   hostOf(req),
		Proto:  "HTTP/1.1",
		Of:     of.ID,
		Via:    via,
		Detail: of.Detail,
	}
	a.e.Request.Header = req.Header.Clone()
	return a
}

func hostOf(req *http.Request) string {
	if req.Host != "" {
		return req.Host
	}
	return req.URL.Host
}

// answer notes the header of the app's answer, and hands its body on while keeping it.
func (a *attempt) answer(resp *http.Response) {
	a.e.First = a.now().Sub(a.start)
	a.e.Status = resp.StatusCode
	a.e.Proto = resp.Proto
	a.e.Response.Header = resp.Header.Clone()
	if resp.Body != nil {
		resp.Body = &tee{ReadCloser: resp.Body, keep: a.answered, broken: func(err error) { a.e.Err = why(err) }}
	}
}

// end completes the exchange. It is called once, when nothing reads the answer any more.
func (a *attempt) end(err error) capture.Exchange {
	a.e.Took = a.now().Sub(a.start)
	if err != nil {
		a.e.Err = why(err)
	}
	a.asked.fill(&a.e.Request)
	a.answered.fill(&a.e.Response)
	return a.e
}

// keep stores a finished attempt and tells it. What is already running is not stopped by a
// browser that leaves.
func (d *Deliverer) keep(ctx context.Context, e capture.Exchange) capture.Exchange {
	if d.o.Journal != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
		defer cancel()
		id, err := d.o.Journal.Add(ctx, e)
		if err != nil {
			d.o.Logger.Error("a delivery could not be recorded", "of", e.Of, "error", err)
		}
		e.ID = id
	}
	e = shown(e)
	d.o.Told(e)
	return e
}

// shown is e as the journal shows it: what is told may end up on a screen.
func shown(e capture.Exchange) capture.Exchange {
	e.Target, _ = redact.Target(e.Target)
	e.Request.Header, e.Response.Header = redact.Header(e.Request.Header), redact.Header(e.Response.Header)
	return e
}

// do sends req and reads the app's answer to its end, within the time limit.
func (d *Deliverer) do(ctx context.Context, req *http.Request, body []byte, of capture.Exchange, via string) (capture.Exchange, error) {
	ctx, cancel := context.WithTimeout(ctx, d.o.Timeout)
	defer cancel()
	a := d.begin(req, of, via)
	_, _ = a.asked.Write(body)
	resp, err := d.transport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return a.end(err), err
	}
	a.answer(resp)
	_, err = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	d.reached(ctx, req.URL.Host)
	return a.end(err), err
}

// forwarded adds what a proxy says of the request it brings: how it came in, at which host, and
// from whom. What a stranger claimed of the kind is dropped before.
func (d *Deliverer) forwarded(h http.Header, host, remote string) {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		h.Del(name)
	}
	proto := "https"
	if d.o.Public != nil {
		if u := d.o.Public(); u != nil && u.Host != "" {
			proto, host = u.Scheme, u.Host
		}
	}
	h.Set("X-Forwarded-Proto", proto)
	if host != "" {
		h.Set("X-Forwarded-Host", host)
	}
	if ip, _, err := net.SplitHostPort(remote); err == nil {
		h.Set("X-Forwarded-For", ip)
	}
}

// keeper keeps the start of what passes, its size and its hash.
type keeper struct {
	limit int64
	kept  []byte
	size  int64
	sum   hash.Hash
}

func newKeeper(limit int64) *keeper { return &keeper{limit: limit, sum: sha256.New()} }

func (k *keeper) Write(b []byte) (int, error) {
	if room := k.limit - int64(len(k.kept)); room > 0 {
		k.kept = append(k.kept, b[:min(int64(len(b)), room)]...)
	}
	k.size += int64(len(b))
	k.sum.Write(b)
	return len(b), nil
}

func (k *keeper) fill(m *capture.Message) {
	m.Body, m.Size = k.kept, k.size
	m.SHA256 = hex.EncodeToString(k.sum.Sum(nil))
	m.Truncated = k.size > int64(len(k.kept))
}

// tee keeps what is read through it.
type tee struct {
	io.ReadCloser
	keep   *keeper
	broken func(error)
}

func (t *tee) Read(b []byte) (int, error) {
	n, err := t.ReadCloser.Read(b)
	_, _ = t.keep.Write(b[:n])
	if err != nil && err != io.EOF && t.broken != nil {
		t.broken(err)
	}
	return n, err
}
