package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait of these tests; nothing waits for it to pass.
const patience = 20 * time.Second

// event is one NDJSON line.
type event map[string]any

func (e event) text(name string) string { s, _ := e[name].(string); return s }

func (e event) texts(name string) []string {
	var out []string
	all, _ := e[name].([]any)
	for _, v := range all {
		s, _ := v.(string)
		out = append(out, s)
	}
	return out
}

// run is bcdev, running in this process with pipes for a terminal.
type run struct {
	t       *testing.T
	state   string
	signals chan os.Signal
	events  chan event
	code    chan int

	mu       sync.Mutex
	out, err bytes.Buffer
}

// start runs bcdev with an environment that holds what is given and nothing else.
func start(t *testing.T, env []string, args ...string) *run {
	t.Helper()
	r := &run{
		t: t, state: t.TempDir(), signals: make(chan os.Signal, 2),
		events: make(chan event, 1000), code: make(chan int, 1),
	}
	return r.start(env, args...)
}

func (r *run) start(env []string, args ...string) *run {
	r.t.Helper()
	out, outEnd := pipe(r.t)
	errs, errEnd := pipe(r.t)
	host := Host{
		In: strings.NewReader(""), Out: outEnd, Err: errEnd, Dir: r.t.TempDir(), Signals: r.signals,
		Env: append([]string{"BCDEV_NO_KEYRING=1", "BCDEV_STATE_DIR=" + r.state, "HOME=" + r.t.TempDir()}, env...),
	}
	over := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() { r.readEvents(out) })
	reading.Go(func() { r.keep(&r.err, errs) })
	go func() {
		code := Main(args, host)
		outEnd.Close()
		errEnd.Close()
		reading.Wait()
		close(r.events)
		r.code <- code
		close(over)
	}()
	r.t.Cleanup(func() { // before the pipes are closed: nobody may still write to them
		select {
		case r.signals <- os.Interrupt:
		default:
		}
		go func() {
			for range r.events { // what no test waits for any more
			}
		}()
		select {
		case <-over:
		case <-time.After(patience):
			r.t.Error("bcdev does not end")
		}
	})
	return r
}

func pipe(t *testing.T) (read, write *os.File) {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { read.Close(); write.Close() })
	return read, write
}

func (r *run) readEvents(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<22)
	for lines.Scan() {
		r.mu.Lock()
		r.out.Write(append(lines.Bytes(), '\n'))
		r.mu.Unlock()
		var e event
		if json.Unmarshal(lines.Bytes(), &e) == nil {
			r.events <- e
		}
	}
}

func (r *run) keep(into *bytes.Buffer, from io.Reader) {
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		r.mu.Lock()
		into.Write(buf[:n])
		r.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// said is everything printed so far, both streams.
func (r *run) said() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.String() + r.err.String()
}

// next waits for an event of a name.
func (r *run) next(name string) event {
	r.t.Helper()
	limit := time.After(patience)
	for {
		select {
		case e, open := <-r.events:
			if !open {
				r.t.Fatalf("bcdev ended before a %q event; it said:\n%s", name, r.said())
			}
			if e.text("event") == name {
				return e
			}
		case <-limit:
			r.t.Fatalf("no %q event; bcdev said:\n%s", name, r.said())
		}
	}
}

// end asks bcdev to stop and returns its exit code.
func (r *run) end() int {
	r.t.Helper()
	r.signals <- os.Interrupt
	return r.ended()
}

func (r *run) ended() int {
	r.t.Helper()
	select {
	case code := <-r.code:
		return code
	case <-time.After(patience):
		r.t.Fatalf("bcdev does not end; it said:\n%s", r.said())
		return -1
	}
}

// command runs bcdev to its end on the same state folder and returns what it printed.
func (r *run) command(env []string, args ...string) (code int, stdout, stderr string) {
	r.t.Helper()
	other := &run{t: r.t, state: r.state, signals: make(chan os.Signal, 2), events: make(chan event, 100_000), code: make(chan int, 1)}
	other.start(env, args...)
	code = other.ended()
	return code, other.out.String(), other.err.String()
}

// configFile writes a configuration and returns its path.
func configFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "bcdev.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// ask makes a request and reads its answer.
func ask(t *testing.T, method, url, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}
