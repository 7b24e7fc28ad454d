package cli

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// refusedStart runs up on what it must refuse, and returns what it said.
func refusedStart(t *testing.T, exit int, env []string, config string, args ...string) string {
	t.Helper()
	r := start(t, env, append([]string{"up", "--json", "--config", configFile(t, config)}, args...)...)
	if code := r.ended(); code != exit {
		t.Errorf("exit code %d, want %d; it said:\n%s", code, exit, r.said())
	}
	said := r.said()
	if !strings.Contains(said, "hint: ") {
		t.Errorf("no next step in:\n%s", said)
	}
	checkClean(t, said, r.state, tokenA, guideSecret)
	return said
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	t.Parallel()
	far := newRecordingAPI(t, nil)
	for _, c := range []struct {
		row, change string // of the configuration, "old → new"
		env         string
		code        string
	}{
		{"G01 a token over plain http", far.URL + " → http://api.bigcommerce.com", "", "plain_http"},
		{"G03 a header with a line break", `store: aaa111} → store: aaa111, headers: {X-Foo: "a\r\nX-Auth-Token: b"}}`, "", "bad_header"},
		{"G03 a header whose name has one", `store: aaa111} → store: aaa111, headers: {"X-Foo\r\nX": "a"}}`, "", "bad_header"},
		{"G04 X-Auth-Token", "store: aaa111} → store: aaa111, headers: {X-Auth-Token: b}}", "", "reserved_header"},
		{"G04 Host", "store: aaa111} → store: aaa111, headers: {host: b}}", "", "reserved_header"},
		{"G04 Content-Length", "store: aaa111} → store: aaa111, headers: {Content-Length: '1'}}", "", "reserved_header"},
		{"G04 Connection", "store: aaa111} → store: aaa111, headers: {Connection: b}}", "", "reserved_header"},
		{"G04 Transfer-Encoding", "store: aaa111} → store: aaa111, headers: {Transfer-Encoding: b}}", "", "reserved_header"},
		{"G06 yes", "store: aaa111} → store: aaa111, read_only: 'yes'}", "", "wrong_type"},
		{"G06 1", "store: aaa111} → store: aaa111, read_only: 1}", "", "wrong_type"},
		{"G06 a list", "store: aaa111} → store: aaa111, read_only: [true]}", "", "wrong_type"},
		{"G06 from the environment", "", "BCDEV_PROXY_READ_ONLY=maybe", ""},
		{"G08 climbing", "hash: bbb222 → hash: ../x", "", "bad_store_hash"},
		{"G08 climbing behind a hash", "hash: bbb222 → hash: aaa111/..", "", "bad_store_hash"},
		{"G08 nothing", "hash: bbb222 → hash: ''", "", "bad_store_hash"},
		{"G08 200 characters", "hash: bbb222 → hash: " + strings.Repeat("a", 200), "", "bad_store_hash"},
		{"G08 capitals and a space", "hash: bbb222 → hash: AAA 111", "", "bad_store_hash"},
		{"G10 our own forward door as our proxy", "stores: → forward_proxy: {listen: '127.0.0.1:45999'}\nstores:", "HTTPS_PROXY=http://127.0.0.1:45999", "own_proxy"},
		{"G10 for everything", "stores: → forward_proxy: {listen: '127.0.0.1:45999'}\nstores:", "ALL_PROXY=localhost:45999", "own_proxy"},
		{"G12 another host's API", far.URL + " → https://evil.example", "", "upstream_not_allowed"},
		{"G12 that the file allows itself", "stores: → allow_upstream: [evil.example]\nstores:", "", "upstream_not_allowed"},
		{"P97 every address", `listen: "127.0.0.1:0", store → listen: "0.0.0.0:0", store`, "", "not_loopback"},
		{"P97 no address", `listen: "127.0.0.1:0", store → listen: ":0", store`, "", "not_loopback"},
		{"P97 every IPv6 address", `listen: "127.0.0.1:0", store → listen: "[::]:0", store`, "", "not_loopback"},
		{"P97 the window", "", "BCDEV_INSPECTOR_LISTEN=0.0.0.0:0", "not_loopback"},
		{"P97 the forward door", "", "BCDEV_FORWARD_PROXY_LISTEN=[::]:0", "not_loopback"},
		{"P97 the public door", `127.0.0.1:0"}` + "\nproxy → 0.0.0.0:0\"}\nproxy", "", "not_loopback"},
		{"K02 a token with a control byte", tokenA + ` → "abc\u001b[31m"`, "", ""},
		{"K02 a token with a line break in the middle", tokenA + ` → "abc\ndef"`, "", ""},
		{"K02 a whole header", tokenA + ` → "X-Auth-Token: abc"`, "", ""},
	} {
		t.Run(c.row, func(t *testing.T) {
			config := hostileConfig(far.URL)
			if c.change != "" {
				old, changed, _ := strings.Cut(c.change, " → ")
				after := strings.ReplaceAll(config, old, changed)
				if after == config {
					t.Fatalf("%q is not in the configuration", old)
				}
				config = after
			}
			said := refusedStart(t, 2, []string{c.env}, config)
			if c.code != "" && !strings.Contains(said, `"code":"`+c.code+`"`) {
				t.Errorf("no code %s in:\n%s", c.code, said)
			}
		})
	}
	if far.hits() != 0 {
		t.Error("upstream was asked")
	}
}

func TestP97TheCommandLineCannotOpenADoorBySilence(t *testing.T) {
	t.Parallel()
	far := newRecordingAPI(t, nil)
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0"} {
		if said := refusedStart(t, 2, nil, hostileConfig(far.URL), "--listen", addr); !strings.Contains(said, "--allow-lan") {
			t.Errorf("%s: %s", addr, said)
		}
	}
	refusedStart(t, 2, nil, hostileConfig(far.URL), "--token", tokenA) // K01: there is no such flag
}

func TestG12AConfigurationThatWasMerelyFound(t *testing.T) {
	t.Parallel()
	r := &run{t: t, state: t.TempDir(), signals: make(chan os.Signal, 2), events: make(chan event, 100), code: make(chan int, 1)}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bcdev.yaml"), []byte(hostileConfig("https://evil.example")), 0o600); err != nil {
		t.Fatal(err)
	}
	out, outEnd := pipe(t)
	go r.keep(&r.out, out)
	code := Main([]string{"up"}, Host{In: strings.NewReader(""), Out: outEnd, Err: outEnd, Dir: dir, Signals: r.signals, Env: []string{"BCDEV_STATE_DIR=" + r.state, "BCDEV_NO_KEYRING=1", "HOME=" + t.TempDir()}})
	outEnd.Close()
	eventually(t, "it says why", func() bool { return strings.Contains(r.said(), "allow-upstream") })
	if code != 2 {
		t.Errorf("exit code %d", code)
	}
}

func TestP99ATakenPortIsNamedAndKept(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	program := filepath.Base(os.Args[0])
	if len(program) > 15 {
		program = program[:15] // as the kernel keeps it
	}
	far := newRecordingAPI(t, nil)
	for _, env := range []string{"BCDEV_PROXY_LISTEN=", "BCDEV_INSPECTOR_LISTEN=", "BCDEV_FORWARD_PROXY_LISTEN=", "BCDEV_TUNNEL_LISTEN="} {
		said := refusedStart(t, 1, []string{env + l.Addr().String()}, hostileConfig(far.URL))
		if !strings.Contains(said, l.Addr().String()) || !strings.Contains(said, program) && !strings.Contains(env, "TUNNEL") {
			t.Errorf("%s the error does not name %s and %s:\n%s", env, l.Addr(), program, said)
		}
		if strings.Contains(said, `"ready"`) {
			t.Error("it said that it was ready")
		}
	}
}

func TestP97WithAllowLANTheKeyCannotBeTurnedOff(t *testing.T) {
	t.Parallel()
	lan := lanAddress(t)
	w := newWorld(t, newRecordingAPI(t, nil), nil, "--listen", "0.0.0.0:0", "--allow-lan", "--key", "off")
	_, key, keyed := strings.Cut(w.ready.text("proxy_url"), "/k/")
	if !keyed {
		t.Fatalf("proxy_url is %q", w.ready.text("proxy_url"))
	}
	_, port, _ := net.SplitHostPort(w.door)
	there := net.JoinHostPort(lan, port)
	checkRefusal(t, w.raw(t, there, "GET /stores/aaa111/v3/x HTTP/1.1\r\nHost: "+there+"\r\n\r\n"), 401, "missing_key")
	checkRefusal(t, w.raw(t, there, "GET /k/"+key+"/stores/aaa111/v3/x HTTP/1.1\r\nHost: evil.example:"+port+"\r\n\r\n"), 403, "host_not_allowed")
	if w.far.hits() != 0 {
		t.Error("upstream was asked")
	}
	if a := w.raw(t, there, "GET /k/"+key+"/stores/aaa111/v3/x HTTP/1.1\r\nHost: "+there+"\r\n\r\n"); a.StatusCode != 200 {
		t.Errorf("%d %q", a.StatusCode, a.body)
	}
	w.finish()

	// also where only this machine could reach the door
	w = newWorld(t, newRecordingAPI(t, nil), nil, "--allow-lan")
	if !strings.Contains(w.ready.text("proxy_url"), "/k/") {
		t.Errorf("proxy_url is %q", w.ready.text("proxy_url"))
	}
	w.finish()
}

func TestP98ASocketAsTheDoor(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "bcdev") // short: the path of a socket has about 100 bytes
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "door", "api.sock")
	w := newWorld(t, newRecordingAPI(t, nil), []string{"BCDEV_PROXY_LISTEN=unix://" + socket})
	if got := w.ready.text("proxy_url"); got != "unix://"+socket {
		t.Errorf("proxy_url is %q", got)
	}
	for path, mode := range map[string]os.FileMode{socket: 0o600, filepath.Dir(socket): 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v %v", path, info, err)
		}
	}
	if a := talk(t, "unix", socket, "GET /stores/aaa111/v3/x HTTP/1.1\r\nHost: localhost\r\n\r\n"); a.StatusCode != 200 || w.far.hits() != 1 {
		t.Errorf("%d %q", a.StatusCode, a.body)
	}
	checkRefusal(t, talk(t, "unix", socket, "GET /stores/aaa111/v3/x HTTP/1.1\r\nHost: evil.example\r\n\r\n"), 403, "host_not_allowed")
	// a program of Go's own kind
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	res, err := client.Get("http://localhost/v3/x")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	client.CloseIdleConnections()
	if res.StatusCode != 200 {
		t.Errorf("%d", res.StatusCode)
	}
	w.finish()
	if _, err := os.Stat(socket); err == nil {
		t.Error("the socket is left behind")
	}

	if err := os.WriteFile(socket, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	refusedStart(t, 1, []string{"BCDEV_PROXY_LISTEN=unix://" + socket}, hostileConfig(w.far.URL))
	if left, _ := os.ReadFile(socket); string(left) != "precious" {
		t.Errorf("the file is now %q", left)
	}
}

func TestS07TheJournalKeepsItsBounds(t *testing.T) {
	t.Parallel()
	const body, calls = 64 << 10, 150
	far := newRecordingAPI(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, body)) })
	w := newWorld(t, far, []string{"BCDEV_CAPTURE_KEEP_EXCHANGES=60", "BCDEV_CAPTURE_KEEP_BYTES=2MiB"})
	for i := range calls {
		if a, text := ask(t, "GET", "http://"+w.door+fmt.Sprintf("/v3/%d", i), ""); a.StatusCode != 200 || len(text) != body {
			t.Fatalf("%d, %d bytes", a.StatusCode, len(text))
		}
	}
	w.finish()
	all := w.exchanges()
	if n := len(all); n == 0 || n > 60 {
		t.Fatalf("%d exchanges are kept", n)
	}
	if last := all[len(all)-1].Target; last != fmt.Sprintf("/v3/%d", calls-1) {
		t.Errorf("the last one kept is %s", last)
	}
	size := int64(0)
	for _, e := range all {
		size += int64(len(e.Response.Body))
	}
	if size > 2<<20 {
		t.Errorf("%d bytes of bodies are kept", size)
	}
}
