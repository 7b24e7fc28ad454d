package cli

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// child is bcdev as a process of its own: what an operating system sees of it.
type child struct {
	world
	cmd    *exec.Cmd
	lines  chan event
	ended  chan struct{}
	err    error
	mu     sync.Mutex
	stdout bytes.Buffer
	stderr bytes.Buffer
}

// TestAsAProcess builds the program once and attacks it as a process. The build has no race
// detector, so that memory can be measured.
func TestAsAProcess(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "bcdev")
	build := exec.Command("go", "build", "-o", program, "bcdev")
	if out, err := build.CombinedOutput(); err != nil {
		t.Skipf("the program cannot be built here: %v\n%s", err, out)
	}
	for name, f := range map[string]func(*testing.T, string){
		"S01 P98 whatever the umask":                        testUmask,
		"S04 a full disk":                                   testFullDisk,
		"K05 signals":                                       testSignals,
		"K04 a terminal that goes away":                     testBrokenPipe,
		"K04 narrow and dumb terminals":                     testNarrow,
		"G11 a proxy on the way":                            testThirdPartyProxy,
		"P44 P60 headers cost no memory":                    testHeaderMemory,
		"P65 an upload costs no memory":                     testUploadMemory,
		"P66 C12 packed bodies cost no memory":              testBombMemory,
		"C11 a webhook of 50 MiB":                           testHugeWebhook,
		"P69 C13 M11 clients that stop talking are cut off": testSilentClients,
		"P70 clients that leave":                            testLeavers,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, program)
		})
	}
}

// spawn starts the program with a configuration; before may be a shell command, such as umask 000.
func spawn(t *testing.T, program, before, config string, env []string, args ...string) *child {
	t.Helper()
	c := &child{lines: make(chan event, 10_000), ended: make(chan struct{})}
	state := filepath.Join(t.TempDir(), "state")
	c.run = &run{t: t, state: state, events: c.lines}
	all := append([]string{"-c", before + `exec "$0" "$@"`, program, "up", "--json", "--config", configFile(t, config)}, args...)
	c.cmd = exec.Command("/bin/sh", all...)
	c.cmd.Env = append([]string{"BCDEV_NO_KEYRING=1", "BCDEV_STATE_DIR=" + state, "HOME=" + t.TempDir()}, env...)
	c.cmd.Dir = t.TempDir()
	c.cmd.Stderr = lockedWriter{&c.mu, &c.stderr}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go c.read(out)
	t.Cleanup(func() {
		select {
		case <-c.ended:
		default:
			c.cmd.Process.Kill()
			<-c.ended
		}
	})
	return c
}

type lockedWriter struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (c *child) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<22)
	for lines.Scan() {
		lockedWriter{&c.mu, &c.stdout}.Write(append(lines.Bytes(), '\n'))
		var e event
		if json.Unmarshal(lines.Bytes(), &e) == nil {
			c.lines <- e
		}
	}
	c.err = c.cmd.Wait()
	close(c.lines)
	close(c.ended)
}

func (c *child) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stdout.String() + c.stderr.String()
}

// up waits until the program is ready.
func (c *child) up() *child {
	c.t.Helper()
	for e := range c.lines {
		if e.text("event") == "ready" {
			c.isReady(e)
			return c
		}
	}
	c.t.Fatalf("it ended before it was ready:\n%s", c.text())
	return nil
}

// stop sends a signal and returns the exit code.
func (c *child) stop(signals ...os.Signal) int {
	c.t.Helper()
	for _, s := range signals {
		c.cmd.Process.Signal(s)
	}
	select {
	case <-c.ended:
	case <-time.After(patience):
		c.t.Fatalf("it does not end:\n%s", c.text())
	}
	return c.cmd.ProcessState.ExitCode()
}

// done ends the program in good order and looks at what it leaves behind.
func (c *child) done() {
	c.t.Helper()
	if code := c.stop(os.Interrupt); code != 0 {
		c.t.Errorf("exit code %d:\n%s", code, c.text())
	}
	checkClean(c.t, c.text(), c.state, c.secrets...)
}

// grown runs f and returns how many MiB the process grew at most meanwhile.
func (c *child) grown(f func()) float64 {
	c.t.Helper()
	pid := strconv.Itoa(c.cmd.Process.Pid)
	os.WriteFile("/proc/"+pid+"/clear_refs", []byte("5"), 0) // the peak begins anew
	before := c.status("VmRSS")
	f()
	return float64(c.status("VmHWM")-before) / 1024
}

// status is a line of /proc/PID/status, in KiB.
func (c *child) status(name string) int {
	c.t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(c.cmd.Process.Pid) + "/status")
	if err != nil {
		c.t.Fatal(err)
	}
	m := regexp.MustCompile(name + `:\s+(\d+)`).FindSubmatch(text)
	if m == nil {
		c.t.Skip("this kernel does not tell " + name)
	}
	n, _ := strconv.Atoi(string(m[1]))
	return n
}

// sockets counts the open sockets of the process.
func (c *child) sockets() int {
	folder := "/proc/" + strconv.Itoa(c.cmd.Process.Pid) + "/fd/"
	all, _ := os.ReadDir(folder)
	n := 0
	for _, fd := range all {
		if to, err := os.Readlink(folder + fd.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

func testUmask(t *testing.T, program string) {
	far := newRecordingAPI(t, nil)
	dir, err := os.MkdirTemp("", "bcdev")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "door", "api.sock")
	c := spawn(t, program, "umask 000; ", hostileConfig(far.URL), []string{"BCDEV_PROXY_LISTEN=unix://" + socket, forwardOn}, "--key", "required").up()
	talk(t, "unix", socket, "GET /stores/aaa111/v3/x HTTP/1.1\r\nHost: localhost\r\n\r\n")
	res, _ := ask(t, "GET", "http://"+c.public+"/auth?code=abc&context=stores/ccc333&scope=x", "")
	if res.StatusCode == 404 {
		t.Error("the callback is not served")
	}
	checkModes(t, c.state)
	checkModes(t, filepath.Dir(socket))
	if os.Geteuid() == 0 {
		if err := connectAs(65534, socket); !errors.Is(err, syscall.EACCES) {
			t.Errorf("P98: another user gets %v", err)
		}
	}
	c.done()
	checkModes(t, c.state)
}

func checkModes(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := os.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s is %s", path, info.Mode())
		}
		return nil
	})
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// connectAs connects to a socket with the rights of another user, on a thread that ends with it.
func connectAs(uid int, socket string) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread is not used again
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETFSUID, uintptr(uid), 0, 0); errno != 0 {
			result <- errno
			return
		}
		fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			result <- err
			return
		}
		defer syscall.Close(fd)
		result <- syscall.Connect(fd, &syscall.SockaddrUnix{Name: socket})
	}()
	return <-result
}

func testFullDisk(t *testing.T, program string) {
	far := newRecordingAPI(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(bytes.Repeat([]byte("0123456789abcdef"), 8<<10)) })
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=3m,mode=700"); err != nil {
		t.Skipf("no small disk can be mounted here: %v", err)
	}
	defer syscall.Unmount(disk, syscall.MNT_DETACH)
	c := spawn(t, program, "", hostileConfig(far.URL), nil, "--state-dir", filepath.Join(disk, "state"))
	c.state = filepath.Join(disk, "state")
	c.up()
	for i := range 60 {
		if res, body := ask(t, "GET", "http://"+c.door+"/v3/x", ""); res.StatusCode != 200 || len(body) != 128<<10 {
			t.Fatalf("call %d: %d, %d bytes", i, res.StatusCode, len(body))
		}
	}
	for e := range c.lines {
		if e.text("event") == "problem" && strings.Contains(e.text("hint"), "unrecorded") {
			break
		}
	}
	// an install is worth more than its record
	if res, _ := ask(t, "GET", "http://"+c.public+"/auth?code=abc&context=stores/ccc333&scope=x", ""); res.StatusCode == 404 {
		t.Errorf("the callback is answered %d", res.StatusCode)
	}
	list := exec.Command(program, "list", "--json", "--limit", "5", "--state-dir", c.state)
	list.Env = append(c.cmd.Env, "BC_CLIENT_ID=x", "BC_CLIENT_SECRET=y")
	if out, err := list.Output(); err == nil {
		for line := range bytes.Lines(out) {
			if !json.Valid(line) {
				t.Errorf("half a line of JSON: %q", line)
			}
		}
	}
	if code := c.stop(os.Interrupt); code != 0 {
		t.Errorf("exit code %d:\n%s", code, c.text())
	}
	checkClean(t, c.text(), c.state, c.secrets...)
}

// slowUpload begins an upload of which n bytes have come through, and goes on when it is told.
func slowUpload(t *testing.T, c *child, arrived <-chan struct{}) (finish func() (int, error)) {
	t.Helper()
	conn, err := net.Dial("tcp", c.door)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	io.WriteString(conn, c.fill("POST /stores/aaa111/v3/up HTTP/1.1\r\nHost: {door}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"))
	<-arrived
	return func() (int, error) {
		io.WriteString(conn, "0\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return 0, err
		}
		return res.StatusCode, nil
	}
}

func testSignals(t *testing.T, program string) {
	arrived := make(chan struct{})
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadFull(r.Body, make([]byte, 5)); err == nil {
			arrived <- struct{}{}
		}
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "{}")
	}))
	defer far.Close()

	t.Run("SIGHUP", func(t *testing.T) {
		c := spawn(t, program, "", hostileConfig(far.URL), nil).up()
		if code := c.stop(syscall.SIGHUP); code != 0 {
			t.Errorf("exit code %d", code)
		}
	})
	t.Run("SIGTERM during an upload", func(t *testing.T) {
		c := spawn(t, program, "", hostileConfig(far.URL), nil).up()
		finish := slowUpload(t, c, arrived)
		c.cmd.Process.Signal(syscall.SIGTERM)
		eventually(t, "the door takes no one else", func() bool {
			conn, err := net.Dial("tcp", c.door)
			if err == nil {
				conn.Close()
			}
			return err != nil
		})
		if status, err := finish(); status != 200 {
			t.Errorf("the upload ended with %d %v", status, err)
		}
		if code := c.stop(); code != 0 {
			t.Errorf("exit code %d:\n%s", code, c.text())
		}
		if all := c.exchanges(); len(all) != 1 || all[0].Status != 200 || string(all[0].Request.Body) != "hello" {
			t.Errorf("the journal has %+v", all)
		}
	})
	t.Run("SIGINT twice", func(t *testing.T) {
		c := spawn(t, program, "", hostileConfig(far.URL), nil).up()
		slowUpload(t, c, arrived)
		c.cmd.Process.Signal(os.Interrupt)
		eventually(t, "the door takes no one else", func() bool {
			conn, err := net.Dial("tcp", c.door)
			if err == nil {
				conn.Close()
			}
			return err != nil
		})
		begun := time.Now()
		if code := c.stop(os.Interrupt); code != exitInterrupted || time.Since(begun) > 2*time.Second {
			t.Errorf("exit code %d after %s", code, time.Since(begun))
		}
		c.exchanges() // the journal can be read
	})
	t.Run("SIGKILL, and a start on what is left", func(t *testing.T) {
		config := hostileConfig(far.URL)
		c := spawn(t, program, "", config, nil).up()
		slowUpload(t, c, arrived)
		c.stop(syscall.SIGKILL)
		r := start(t, []string{"BCDEV_STATE_DIR=" + c.state}, "up", "--json", "--config", configFile(t, config))
		r.next("ready")
		if code := r.end(); code != 0 {
			t.Errorf("exit code %d:\n%s", code, r.said())
		}
	})
}

func testBrokenPipe(t *testing.T, program string) {
	for _, args := range [][]string{{"help"}, {"version"}, {"scopes", "GET", "/v3/catalog/products"}, {"list"}, {"list", "--json"}} {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		read.Close()
		cmd := exec.Command(program, args...)
		var errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = write, &errs
		cmd.Env = []string{"BC_CLIENT_ID=x", "BC_CLIENT_SECRET=y", "BCDEV_NO_KEYRING=1", "HOME=" + t.TempDir(), "BCDEV_STATE_DIR=" + journalOfOne(t)}
		err = cmd.Run()
		write.Close()
		var exit *exec.ExitError
		if errors.As(err, &exit) && !exit.Exited() && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGPIPE {
			continue // what a shell expects of head's neighbour
		}
		if err != nil || errs.Len() > 0 {
			t.Errorf("%q: %v\n%s", args, err, errs.String())
		}
	}
}

// journalOfOne is a state folder with one exchange in its journal.
func journalOfOne(t *testing.T) string {
	t.Helper()
	w := newWorld(t, newRecordingAPI(t, nil), nil)
	w.get(t, "x")
	w.next("exchange")
	w.finish()
	return w.state
}

func testNarrow(t *testing.T, program string) {
	state := journalOfOne(t)
	for _, env := range [][]string{{"TERM=dumb", "COLUMNS=1"}, {"NO_COLOR=1", "COLUMNS=0"}, {"COLUMNS=-5", "LANG=C"}, {"COLUMNS=99999999999999999999"}, {"FORCE_COLOR=1", "NO_COLOR=1"}} {
		for _, args := range [][]string{{"list"}, {"show", "1"}, {"help"}, {"scopes", "GET", "/v3/catalog/products"}, {"stores"}} {
			cmd := exec.Command(program, args...)
			cmd.Env = append([]string{"BC_CLIENT_ID=x", "BC_CLIENT_SECRET=y", "BCDEV_NO_KEYRING=1", "HOME=" + t.TempDir(), "BCDEV_STATE_DIR=" + state}, env...)
			out, err := cmd.CombinedOutput()
			if err != nil || bytes.Contains(out, []byte("panic")) {
				t.Errorf("%q %q: %v\n%s", env, args, err, out)
			}
			checkPrintable(t, string(out))
		}
	}
}

func testThirdPartyProxy(t *testing.T, program string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	asked := make(chan string, 100)
	go func() {
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
			go func() {
				defer conn.Close()
				head := make([]byte, 4096)
				n, _ := conn.Read(head)
				asked <- string(head[:n])
				io.WriteString(conn, "HTTP/1.1 502 no\r\nContent-Length: 0\r\n\r\n")
			}()
		}
	}()
	config, _, _ := strings.Cut(hostileConfig("x"), "bigcommerce:")
	c := spawn(t, program, "", config, []string{"HTTPS_PROXY=http://" + l.Addr().String(), "HTTP_PROXY=http://" + l.Addr().String()}).up()
	a := c.get(t, "x")
	checkRefusal(t, a, 502, "upstream_unreachable")
	ask(t, "GET", "http://"+c.public+"/auth?code=spent0code&context=stores/ccc333&scope=x", "")
	c.done()
	close(asked)
	n := 0
	for head := range asked {
		n++
		if !strings.HasPrefix(head, "CONNECT api.bigcommerce.com:443 ") && !strings.HasPrefix(head, "CONNECT login.bigcommerce.com:443 ") {
			t.Errorf("the proxy was asked for %q", head)
		}
		for _, s := range append(c.secrets, "X-Auth", "spent0code") {
			if strings.Contains(head, s) {
				t.Errorf("the proxy has seen %q in %q", s, head)
			}
		}
	}
	if n == 0 {
		t.Error("the proxy was not asked")
	}
}

func testHeaderMemory(t *testing.T, program string) {
	far := newRecordingAPI(t, nil)
	c := spawn(t, program, "", hostileConfig(far.URL), nil).up()
	c.get(t, "x")
	long := "GET /stores/aaa111/v3/" + strings.Repeat("a", 1<<20) + " HTTP/1.1\r\nHost: {door}\r\n\r\n"
	many := toStore + "X-Long: " + strings.Repeat("a", 70<<10) + "\r\n\r\n"
	if mib := c.grown(func() {
		for _, request := range []string{long, many} {
			if a := c.raw(t, c.door, request); a.StatusCode != 431 && a.StatusCode != 414 {
				t.Errorf("status %d", a.StatusCode)
			}
		}
	}); mib > 4 {
		t.Errorf("it grew by %.1f MiB", mib)
	}
	if a := c.get(t, "x"); a.StatusCode != 200 {
		t.Errorf("the next request is answered %d", a.StatusCode)
	}
	c.done()
}

// zeros are n bytes that take no memory.
type zeros struct{ left int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), z.left))
	clear(p[:n])
	z.left -= int64(n)
	return n, nil
}

func testUploadMemory(t *testing.T, program string) {
	const size = 100 << 20
	sum := make(chan string, 10)
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := sha256.New()
		n, err := io.Copy(h, r.Body)
		sum <- fmt.Sprintf("%d %s %v", n, hex.EncodeToString(h.Sum(nil)), err)
	}))
	defer far.Close()
	c := spawn(t, program, "", hostileConfig(far.URL), nil).up()
	upload := func(n int64) string {
		req, _ := http.NewRequest(http.MethodPost, "http://"+c.door+"/v3/upload", io.NopCloser(&zeros{n})) // no length: chunked
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return <-sum
	}
	upload(4 << 20)
	whole := ""
	if mib := c.grown(func() { whole = upload(size) }); mib > 16 {
		t.Errorf("it grew by %.1f MiB", mib)
	}
	h := sha256.New()
	io.Copy(h, &zeros{size})
	want := hex.EncodeToString(h.Sum(nil))
	if whole != fmt.Sprintf("%d %s <nil>", size, want) {
		t.Errorf("upstream received %s", whole)
	}
	c.done()
	all := c.exchanges()
	if e := all[len(all)-1].Request; e.Size != size || e.SHA256 != want || !e.Truncated || len(e.Body) > 1<<20 {
		t.Errorf("the journal has %d bytes of %d, truncated %v, hash %s", len(e.Body), e.Size, e.Truncated, e.SHA256)
	}
}

func testBombMemory(t *testing.T, program string) {
	packed := bombs(t)
	far := newRecordingAPI(t, func(w http.ResponseWriter, r *http.Request) {
		name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		w.Header().Set("Content-Encoding", name)
		w.Write(packed[name])
	})
	c := spawn(t, program, "", hostileConfig(far.URL), []string{"BCDEV_CAPTURE_BODY_LIMIT=2MiB"}).up()
	c.get(t, "gzip")
	if mib := c.grown(func() {
		for name, body := range packed {
			for range 3 {
				if a := c.get(t, name); a.body != string(body) {
					t.Errorf("%s: %d bytes", name, len(a.body))
				}
			}
			hook := body[:min(len(body), 1<<20)]
			c.raw(t, c.public, fmt.Sprintf("POST /webhooks HTTP/1.1\r\nHost: tunnel.example\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s", name, len(hook), hook))
		}
	}); mib > 64 { // 32 MiB for each door
		t.Errorf("it grew by %.1f MiB", mib)
	}
	plain := c.showMemory(t, program, 1<<30)
	for id := range 9 {
		if got := c.showMemory(t, program, id+1); float64(got-plain)/1024 > 48 {
			t.Errorf("show %d takes %d KiB, a show of nothing %d", id+1, got, plain)
		}
	}
	c.done()
}

// showMemory is the peak of a "bcdev show", in KiB.
func (c *child) showMemory(t *testing.T, program string, id int) int64 {
	t.Helper()
	cmd := exec.Command(program, "show", itoa(id))
	cmd.Env = append([]string{"BC_CLIENT_ID=x", "BC_CLIENT_SECRET=y"}, c.cmd.Env...)
	cmd.Run() // there may be no such exchange
	return cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
}

func testHugeWebhook(t *testing.T, program string) {
	// The collector comes early, so that what is measured is held and not about to be collected.
	c := spawn(t, program, "", hostileConfig(newRecordingAPI(t, nil).URL), []string{"GOGC=20"}).up()
	send := func(length string) {
		conn, err := net.Dial("tcp", c.public)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		fmt.Fprintf(conn, "POST /webhooks HTTP/1.1\r\nHost: tunnel.example\r\n%s\r\n\r\n", length)
		go func() {
			piece := append([]byte("10000\r\n"), make([]byte, 64<<10)...)
			piece = append(piece, "\r\n"...)
			for range (50 << 20) / (64 << 10) {
				if _, err := conn.Write(piece); err != nil {
					return
				}
			}
		}()
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %v %v", length, res, err)
		}
	}
	send("Transfer-Encoding: chunked") // what the first one takes, it takes once
	if mib := c.grown(func() {
		for range 5 {
			send("Content-Length: " + itoa(50<<20))
			send("Transfer-Encoding: chunked")
		}
	}); mib > 8 {
		t.Errorf("it grew by %.1f MiB", mib)
	}
	c.done()
}

// testSilentClients opens hundreds of connections that stop in the middle, all at once: at each of
// the doors, in the header, in a body, and in a tunnel.
func testSilentClients(t *testing.T, program string) {
	far := newRecordingAPI(t, nil)
	c := spawn(t, program, "", hostileConfig(far.URL), []string{forwardOn}).up()
	c.get(t, "x")
	before := c.sockets()
	begun := time.Now()
	var open []net.Conn
	say := func(n int, addr, request string) {
		for range n {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			conn.SetDeadline(begun.Add(15 * time.Second))
			io.WriteString(conn, c.fill(request))
			open = append(open, conn)
		}
	}
	say(200, c.door, "GET / HTTP/1.1\r\nHost: x\r\nX-")                                                                         // P69
	say(50, c.public, "GET /auth HTTP/1.1\r\nHost: x\r\nX-")                                                                    // P69
	say(20, c.public, "POST /webhooks HTTP/1.1\r\nHost: tunnel.example\r\nContent-Length: 100\r\n\r\n{")                        // C13
	say(200, c.forward, "CONNECT api.bigcommerce.com:443 HTTP/1.1\r\nHost: api.bigcommerce.com:443\r\n\r\n")                    // M11
	say(50, c.forward, "CONNECT api.bigcommerce.com:443 HTTP/1.1\r\nHost: api.bigcommerce.com:443\r\n\r\n\x16\x03\x01\x02\x00") // M11
	for i, conn := range open {
		said, err := io.ReadAll(conn)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("connection %d is still open after 15 s", i)
		}
		if i >= 250 && i < 270 && !bytes.HasPrefix(said, []byte("HTTP/1.1 408 ")) {
			t.Errorf("C13: a body that stops is answered %q", said)
		}
	}
	eventually(t, "all sockets are closed", func() bool { return c.sockets() <= before+2 })
	if a := c.get(t, "x"); a.StatusCode != 200 || far.hits() != 2 {
		t.Errorf("%d; upstream was asked %d times", a.StatusCode, far.hits())
	}
	c.done()
}

func testLeavers(t *testing.T, program string) {
	left := make(chan time.Duration, 1000)
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(1<<30))
		piece := make([]byte, 16<<10)
		for {
			if _, err := w.Write(piece); err != nil {
				break
			}
		}
		<-r.Context().Done()
		left <- 0
	}))
	defer far.Close()
	c := spawn(t, program, "", hostileConfig(far.URL), []string{"BCDEV_CAPTURE_BODY_LIMIT=16KiB"}).up()
	const rounds = 300
	leave := func() {
		conn, err := net.Dial("tcp", c.door)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(patience))
		io.WriteString(conn, c.fill(toStore+"\r\n"))
		io.ReadFull(conn, make([]byte, 4<<10))
		conn.Close()
		select {
		case <-left:
		case <-time.After(3 * time.Second):
			t.Fatal("upstream's request goes on although the client has left")
		}
	}
	for range 20 {
		leave()
	}
	before := c.sockets()
	if mib := c.grown(func() {
		for range rounds {
			leave()
		}
	}); mib > 24 {
		t.Errorf("it grew by %.1f MiB", mib)
	}
	eventually(t, "sockets are back to base", func() bool { return c.sockets() <= before+2 })
	c.done()
}
