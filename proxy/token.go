package proxy

import (
	"bytes"
	"io"
	"net/http"
)

// An exchange is a few hundred bytes; both halves are held in memory.
const tokenBody = 64 << 10

// token answers POST /oauth2/token from the grants, or sends it on to the login host. It is the
// one call that is not signed: its body holds the app's own credentials.
func (d *porch) token(w http.ResponseWriter, r *http.Request) *refusal {
	c := d.newCall(w, r, kindLogin)
	defer c.finish()
	if no := c.attach(w, r); no != nil {
		return no
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, tokenBody+1))
	if err != nil {
		return bodyRefusal(err)
	}
	if len(body) > tokenBody {
		return refuse(http.StatusRequestEntityTooLarge, "body_too_large", "no token exchange is that long", "send the seven parameters of the exchange").closing()
	}
	if d.p.o.Token != nil && d.p.o.Token(w, r, body) {
		return nil
	}
	header := c.hopByHop(r.Header)
	delete(header, "Accept-Encoding") // the answer is read on its way
	c.aim(d.p.o.Login, "/oauth2/token", r.URL.RawQuery, r.URL.ForceQuery)
	out := c.request(header)
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	if d.p.o.Learned != nil {
		c.through = learner{d.p.chain, body, d.p.o.Learned}
	}
	c.up.body = nil // read to its end
	d.engine.ServeHTTP(&c.w, out)
	if c.down.err != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// learner reads a successful exchange of the app's own on its way to the app.
type learner struct {
	next    http.RoundTripper
	request []byte
	learned func(request, response []byte)
}

// RoundTrip passes the exchange on unchanged.
func (l learner) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := l.next.RoundTrip(req)
	if err != nil || res.StatusCode != http.StatusOK || res.ContentLength > tokenBody {
		return res, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, tokenBody+1))
	rest := res.Body
	if err == nil && len(body) <= tokenBody {
		l.learned(l.request, body)
	}
	if err != nil {
		rest = broken{rest, err}
	}
	res.Body = prefixed{io.MultiReader(bytes.NewReader(body), rest), res.Body}
	return res, nil
}

// prefixed is a body whose start was read ahead.
type prefixed struct {
	io.Reader
	io.Closer
}

// broken goes on failing where a body read ahead has failed.
type broken struct {
	io.Closer
	err error
}

func (b broken) Read([]byte) (int, error) { return 0, b.err }
