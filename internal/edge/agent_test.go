package edge

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"runtime"
	"testing"
	"time"

	"golang.ngrok.com/muxado/v2"
)

const patience = 20 * time.Second

func start(t *testing.T, o Options) *Edge {
	t.Helper()
	e, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("Close says %v", err)
		}
	})
	return e
}

// agent speaks the protocol by hand, so that a test can also speak it wrongly.
type agent struct {
	t   *testing.T
	mux muxado.Session
}

func dial(t *testing.T, e *Edge) *agent {
	t.Helper()
	c, err := tls.Dial("tcp", e.AgentAddr(), &tls.Config{RootCAs: e.CertPool(), ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	a := &agent{t, muxado.Client(c, nil)}
	t.Cleanup(func() { a.mux.Close() })
	return a
}

func (a *agent) open(kind uint32) muxado.Stream {
	a.t.Helper()
	str, err := a.mux.OpenStream()
	if err != nil {
		a.t.Fatal(err)
	}
	str.SetReadDeadline(time.Now().Add(patience))
	if _, err := str.Write(binary.BigEndian.AppendUint32(nil, kind)); err != nil {
		a.t.Fatal(err)
	}
	return str
}

func ask[T any](a *agent, kind uint32, request any) (T, error) {
	a.t.Helper()
	str := a.open(kind)
	defer str.Close()
	b, err := json.Marshal(request)
	if err != nil {
		a.t.Fatal(err)
	}
	str.Write(append(b, '\n'))
	var out T
	return out, json.NewDecoder(str).Decode(&out)
}

func (a *agent) auth(token, clientID string) authResponse {
	a.t.Helper()
	var r authRequest
	r.Version, r.ClientID, r.Extra.Authtoken = []string{"3", "2"}, clientID, token
	out, err := ask[authResponse](a, typeAuth, r)
	if err != nil {
		a.t.Fatalf("auth: %v", err)
	}
	return out
}

func (a *agent) bind(r bindRequest) bindResponse {
	a.t.Helper()
	out, err := ask[bindResponse](a, typeBind, r)
	if err != nil {
		a.t.Fatalf("bind: %v", err)
	}
	return out
}

func https(url string) bindRequest {
	b, _ := json.Marshal(bindOpts{URL: url})
	return bindRequest{Proto: "https", Opts: b}
}

// serve answers every visitor's connection with the handler until the session ends.
func (a *agent) serve(h func(proxyHeader, *http.Request) *http.Response) {
	for {
		str, err := a.mux.AcceptStream()
		if err != nil {
			return
		}
		go func() {
			defer str.Close()
			var kind uint32
			if binary.Read(str, binary.BigEndian, &kind) != nil {
				return
			}
			if kind == typeHeartbeat {
				io.Copy(str, str)
				return
			}
			var size int64
			binary.Read(str, binary.LittleEndian, &size)
			var head proxyHeader
			body := make([]byte, size)
			io.ReadFull(str, body)
			if err := json.Unmarshal(body, &head); err != nil {
				a.t.Errorf("the header %q: %v", body, err)
			}
			for r := bufio.NewReader(str); ; {
				req, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				io.Copy(io.Discard, req.Body)
				h(head, req).Write(str)
			}
		}()
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit := time.Now().Add(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(limit) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%s did not come\n%s", what, buf[:runtime.Stack(buf, true)])
		}
		<-tick.C
	}
}
