package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait of these tests; nothing waits for it to pass.
const patience = 30 * time.Second

// bcdev is the program that is tested: the one that BCDEV names, else one built from the
// repository this module lies in.
var bcdev string

func TestMain(m *testing.M) {
	code, err := withProgram(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withProgram(m *testing.M) (int, error) {
	if bcdev = os.Getenv("BCDEV"); bcdev != "" {
		return m.Run(), nil
	}
	dir, err := os.MkdirTemp("", "bcdev-e2e-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	bcdev = filepath.Join(dir, "bcdev")
	build := exec.Command("go", "build", "-o", bcdev, ".")
	build.Dir, build.Stderr = "..", os.Stderr
	if err := build.Run(); err != nil {
		return 1, fmt.Errorf("building bcdev: %w", err)
	}
	return m.Run(), nil
}

// event is one NDJSON line.
type event map[string]any

func (e event) text(name string) string { s, _ := e[name].(string); return s }

// callback is one of ready's callback URLs.
func (e event) callback(kind string) string {
	all, _ := e["callbacks"].(map[string]any)
	s, _ := all[kind].(string)
	return s
}

// program is a running process that prints lines.
type program struct {
	t     *testing.T
	name  string
	cmd   *exec.Cmd
	lines chan string
	ended chan struct{}

	mu   sync.Mutex
	said bytes.Buffer // both streams
}

// run starts a process in a folder and an environment of its own; it ends with the test.
func run(t *testing.T, env []string, name string, args ...string) *program {
	t.Helper()
	p := &program{t: t, name: filepath.Base(name), cmd: command(t, env, name, args...), lines: make(chan string, 10000), ended: make(chan struct{})}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = p
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	go p.read(out)
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("%s %s said:\n%s", p.name, strings.Join(args, " "), p.output())
		}
	})
	return p
}

// command is a process that sees of the environment only where programs are.
func command(t *testing.T, env []string, name string, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command(name, args...)
	c.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TMPDIR=" + os.TempDir(), "BCDEV_NO_KEYRING=1"}, env...)
	return c
}

// Write keeps what goes to standard error.
func (p *program) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.Write(b)
}

func (p *program) read(out io.Reader) {
	s := bufio.NewScanner(out)
	s.Buffer(nil, 4<<20)
	for s.Scan() {
		fmt.Fprintln(p, s.Text())
		p.lines <- s.Text()
	}
	_ = p.cmd.Wait()
	close(p.lines)
	close(p.ended)
}

func (p *program) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

// line is the next line of standard output that holds text.
func (p *program) line(text string) string {
	p.t.Helper()
	late := time.After(patience)
	for {
		select {
		case l, ok := <-p.lines:
			if !ok {
				p.t.Fatalf("%s ended before it printed %q", p.name, text)
			}
			if strings.Contains(l, text) {
				return l
			}
		case <-late:
			p.t.Fatalf("%s did not print %q in %v", p.name, text, patience)
		}
	}
}

// skip passes over the lines that were printed until now.
func (p *program) skip() {
	for {
		select {
		case _, ok := <-p.lines:
			if !ok {
				return
			}
		default:
			return
		}
	}
}

// next is the next event of a name, and the ones between are passed over.
func (p *program) next(name string) event {
	p.t.Helper()
	l := p.line(fmt.Sprintf("%q:%q", "event", name))
	var e event
	if err := json.Unmarshal([]byte(l), &e); err != nil {
		p.t.Fatalf("%s printed %q: %v", p.name, l, err)
	}
	return e
}

// stop interrupts the process and waits until it is gone.
func (p *program) stop() {
	select {
	case <-p.ended:
		return
	default:
	}
	_ = p.cmd.Process.Signal(os.Interrupt)
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Errorf("%s did not end when interrupted", p.name)
		_ = p.cmd.Process.Kill()
	}
}

// finish runs a process to its end and returns what it printed, with its exit code.
func finish(t *testing.T, env []string, name string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	c := command(t, env, name, args...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	late := time.AfterFunc(2*patience, func() { _ = c.Process.Kill() })
	defer late.Stop()
	if err := c.Run(); err != nil && c.ProcessState == nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	return out.String(), errs.String(), c.ProcessState.ExitCode()
}

// must is finish for what has to succeed.
func must(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	out, errs, code := finish(t, env, name, args...)
	if code != 0 {
		t.Fatalf("%s %s: exit code %d\n%s%s", filepath.Base(name), strings.Join(args, " "), code, out, errs)
	}
	return out
}

// freeAddr is a loopback address nobody listens on, for what must be told where before it starts.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// call makes a request and returns the answer, redirects not followed. header holds pairs.
func call(t *testing.T, method, url, body string, header ...string) (*http.Response, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := plain.Do(req)
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

var plain = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
