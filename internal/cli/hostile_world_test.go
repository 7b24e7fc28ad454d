package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bcdev/capture"
)

// The secrets of these tests. None may be seen on a screen, in the journal or in an answer.
const (
	tokenA = "aaa111token0that0must0never0show"
	tokenB = "bbb222token0that0must0never0show"
)

// received is one request as it reached the far side.
type received struct {
	method, target, host string
	header               http.Header
	body                 string
}

// recordingAPI keeps what it receives, in order.
type recordingAPI struct {
	*httptest.Server
	mu   sync.Mutex
	seen []received
}

// newRecordingAPI starts an API that answers with an empty list where answer is nil.
func newRecordingAPI(t *testing.T, answer http.HandlerFunc) *recordingAPI {
	t.Helper()
	f := &recordingAPI{}
	if answer == nil {
		answer = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"data":[]}`)
		}
	}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		f.mu.Lock()
		f.seen = append(f.seen, received{r.Method, r.RequestURI, r.Host, r.Header.Clone(), string(body)})
		f.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *recordingAPI) hits() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.seen)
}

// since returns what came after the first n requests.
func (f *recordingAPI) since(n int) []received {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]received{}, f.seen[n:]...)
}

// world is a running bcdev with two stores and a far side.
type world struct {
	*run
	far                   *recordingAPI
	ready                 event
	door, public, forward string // host:port
	secrets               []string
}

// hostileConfig is a configuration with two stores; settings beside it travel by the environment.
func hostileConfig(api string) string {
	return fmt.Sprintf(`app:
  client_id: bcdev0clientid0example
  client_secret: %s
tunnel: {provider: none, public_url: "https://tunnel.example", listen: "127.0.0.1:0"}
proxy: {listen: "127.0.0.1:0", store: aaa111}
inspector: {listen: "127.0.0.1:0"}
stores:
  - {hash: aaa111, token: %s}
  - {hash: bbb222, token: %s}
bigcommerce: {login_url: %q, api_url: %q, storefront_url: %q}
`, guideSecret, tokenA, tokenB, api, api, api)
}

// newWorld starts bcdev in this process.
func newWorld(t *testing.T, far *recordingAPI, env []string, args ...string) *world {
	t.Helper()
	file := configFile(t, hostileConfig(far.URL))
	w := &world{run: start(t, env, append([]string{"up", "--json", "--config", file}, args...)...), far: far}
	w.isReady(w.next("ready"))
	return w
}

func (w *world) isReady(ready event) {
	w.ready = ready
	w.secrets = []string{tokenA, tokenB, guideSecret}
	w.door, _, _ = strings.Cut(strings.TrimPrefix(ready.text("proxy_url"), "http://"), "/")
	w.public = ready.text("tunnel_listen")
	w.forward = strings.TrimPrefix(ready.text("forward_url"), "http://")
}

// finish ends bcdev in good order, and looks at everything it left behind.
func (w *world) finish() {
	w.t.Helper()
	if code := w.end(); code != 0 {
		w.t.Errorf("exit code %d; bcdev said:\n%s", code, w.said())
	}
	checkClean(w.t, w.said(), w.state, w.secrets...)
	checkNDJSON(w.t, w.out.String())
}

// checkNDJSON holds standard output to one object a line, with a version and the name of an event.
func checkNDJSON(t *testing.T, stdout string) {
	t.Helper()
	for line := range strings.Lines(stdout) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil || e["v"] != 1.0 || e.text("event") == "" {
			t.Errorf("standard output has the line %q: %v", line, err)
		}
	}
}

// checkClean greps what was printed and every byte of the state folder.
func checkClean(t *testing.T, said, state string, secrets ...string) {
	t.Helper()
	checkPrintable(t, said)
	for line := range strings.Lines(said) {
		for _, s := range secrets {
			if strings.Contains(line, s) {
				t.Errorf("%q was printed: %s", s, line)
			}
		}
	}
	for name, content := range filesOf(t, state) {
		for _, s := range secrets {
			if bytes.Contains(content, []byte(s)) {
				t.Errorf("%s holds %q", name, s)
			}
		}
	}
}

// checkPrintable reports control bytes that a terminal would obey. There is no terminal in these
// tests, so bcdev writes no colours of its own either.
func checkPrintable(t *testing.T, said string) {
	t.Helper()
	for i, r := range said {
		invisible := r >= 0x80 && r < 0xa0 || r >= 0x200b && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0xfeff
		if r < ' ' && r != '\n' || r == 0x7f || invisible {
			t.Errorf("a raw %#x reached the terminal: %q", r, said[max(0, i-60):min(len(said), i+60)])
			return
		}
	}
}

func filesOf(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files[filepath.Base(path)], err = os.ReadFile(path)
		return err
	})
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return files
}

// exchanges reads the journal after bcdev has ended, oldest first.
func (w *world) exchanges() []capture.Exchange {
	w.t.Helper()
	j, err := capture.Open(filepath.Join(w.state, journalFile), capture.Options{ReadOnly: true})
	if err != nil {
		w.t.Fatal(err)
	}
	defer j.Close()
	var all []capture.Exchange
	found, err := j.Find(context.Background(), capture.Query{Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	for i := len(found) - 1; i >= 0; i-- {
		e, err := j.Get(context.Background(), fmt.Sprint(found[i].ID))
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// heard is what came back on a connection.
type heard struct {
	*http.Response
	body  string
	wrote string // every byte that came
	rest  string // behind the answer, until the connection was closed
	open  bool   // the connection stayed open
}

// fill puts the addresses into a request written by hand.
func (w *world) fill(request string) string {
	_, port, _ := net.SplitHostPort(w.door)
	return strings.NewReplacer("{door}", w.door, "{port}", port, "{public}", w.public, "{forward}", w.forward).Replace(request)
}

// raw sends bytes to an address and reads one answer.
func (w *world) raw(t *testing.T, addr, request string) heard {
	t.Helper()
	return talk(t, "tcp", addr, w.fill(request))
}

func talk(t *testing.T, network, addr, request string) heard {
	t.Helper()
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	go io.WriteString(c, request) // the answer may come before all of it is sent
	return readAnswer(t, c, request)
}

func readAnswer(t *testing.T, c net.Conn, request string) heard {
	t.Helper()
	method, _, _ := strings.Cut(request, " ")
	var all bytes.Buffer
	in := bufio.NewReader(io.TeeReader(c, &all))
	res, err := http.ReadResponse(in, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q was answered with %q: %v", clipped(request), all.String(), err)
	}
	if method == http.MethodConnect && res.StatusCode == http.StatusOK {
		return heard{Response: res, wrote: all.String(), open: true} // what follows is a tunnel
	}
	body, err := io.ReadAll(res.Body)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) { // of a request that nobody read to its end
		t.Fatalf("reading the answer to %q: %v", clipped(request), err)
	}
	a := heard{Response: res, body: string(body)}
	c.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
	if res.Close {
		c.SetReadDeadline(time.Now().Add(patience))
	}
	rest, err := io.ReadAll(in)
	a.rest, a.wrote = string(rest), all.String()
	a.open = errors.Is(err, os.ErrDeadlineExceeded)
	return a
}

func clipped(s string) string {
	if len(s) > 300 {
		return s[:300] + "…"
	}
	return s
}

// checkRefusal holds an answer to the form every refusal of bcdev has.
func checkRefusal(t *testing.T, a heard, status int, code string) {
	t.Helper()
	if a.StatusCode != status {
		t.Errorf("status %d, want %d; body %q", a.StatusCode, status, clipped(a.body))
	}
	if got := a.Header.Get("Bcdev-Error"); got != code {
		t.Errorf("Bcdev-Error %q, want %q; body %q", got, code, clipped(a.body))
	}
	checkRefusalBody(t, a.body, code)
	if ct := a.Header.Get("Content-Type"); ct != "application/json" {
		t.Errorf("Content-Type %q", ct)
	}
	for name := range a.Header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("the refusal has %s", name)
		}
	}
	for _, s := range []string{tokenA, tokenB, guideSecret} {
		if strings.Contains(a.wrote, s) {
			t.Errorf("the answer holds a secret: %q", a.wrote)
		}
	}
}

func checkRefusalBody(t *testing.T, body, code string) {
	t.Helper()
	var said struct {
		Error struct{ Code, Message, Hint string }
	}
	in := json.NewDecoder(strings.NewReader(body))
	in.DisallowUnknownFields()
	if err := in.Decode(&said); err != nil {
		t.Errorf("the body %q is not the error's JSON: %v", clipped(body), err)
		return
	}
	if said.Error.Code != code || said.Error.Message == "" || said.Error.Hint == "" {
		t.Errorf("the body says %+v, want code %s, a message and a hint", said.Error, code)
	}
}

// eventually waits for something that has no event of its own.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for !holds() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("never: %s", what)
		}
	}
}
