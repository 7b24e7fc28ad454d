package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"bcdev/internal/bigcommerce"
)

// process is bcdev as a process of its own, which can be killed.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	ready  event
	exited chan struct{}
}

func buildBinary(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds the program and starts processes")
	}
	name := filepath.Join(t.TempDir(), "bcdev")
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	build := exec.Command("go", "build", "-o", name, "bcdev")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building bcdev: %v\n%s", err, out)
	}
	return name
}

// startProcess runs "bcdev up" and waits until it is ready.
func startProcess(t *testing.T, binary, state, config string) *process {
	t.Helper()
	p := &process{t: t, exited: make(chan struct{})}
	p.cmd = exec.Command(binary, "up", "--json", "--config", config, "--state-dir", state)
	p.cmd.Env = append(os.Environ(), "BCDEV_NO_KEYRING=1", "HOME="+filepath.Dir(state))
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	p.cmd.Stderr = &said
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	ready := make(chan event, 1)
	go func() {
		defer close(p.exited)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var e event
			if json.Unmarshal(lines.Bytes(), &e) == nil && e.text("event") == "ready" {
				ready <- e
			}
		}
	}()
	select {
	case p.ready = <-ready:
	case <-p.exited:
		p.kill()
		t.Fatalf("bcdev ended before it was ready:\n%s", said.String())
	case <-time.After(patience):
		t.Fatal("bcdev does not become ready")
	}
	return p
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
	_ = p.cmd.Wait()
}

// waiting is the length of the queue as health tells it.
func (p *process) waiting() int {
	_, text := ask(p.t, "GET", p.ready.text("proxy_url")+"/_bcdev/health", "")
	var health struct{ Queue struct{ Waiting int } }
	if err := json.Unmarshal([]byte(text), &health); err != nil {
		p.t.Fatalf("%v: %s", err, text)
	}
	return health.Queue.Waiting
}

// message is one event of one resource.
type message struct {
	id       string
	resource int
	seq      int
}

// platform sends signed webhooks as BigCommerce does, and measures the answers.
type platform struct {
	app    bigcommerce.App
	client *http.Client

	mu   sync.Mutex
	took []time.Duration
}

func newPlatform() *platform {
	return &platform{
		app:    bigcommerce.App{ClientID: "bcdev0clientid0example", ClientSecret: guideSecret},
		client: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	}
}

func (b *platform) send(door string, m message) error {
	body := fmt.Appendf(nil, `{"scope":"store/order/updated","store_id":"1009876","data":{"type":"order","id":%d,"n":%d},"hash":"%s","created_at":%d,"producer":"stores/abc123xyz"}`,
		m.resource, m.seq, m.id, time.Now().Unix())
	req, err := http.NewRequest(http.MethodPost, "http://"+door+"/webhooks", strings.NewReader(string(body)))
	if err != nil {
		return err
	}
	req.Header = b.app.SignWebhook(m.id, time.Now(), body)
	req.Header.Set("Content-Type", "application/json")
	begun := time.Now()
	res, err := b.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK || len(answer) > 0 {
		return fmt.Errorf("answered %d %q", res.StatusCode, answer)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.took = append(b.took, time.Since(begun))
	return nil
}

func (b *platform) percentile(p float64) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	slices.Sort(b.took)
	return b.took[int(float64(len(b.took)-1)*p)]
}

// burst sends events 0 to each of every resource, in order per resource, eight resources at a
// time. A message that fails is sent again once redo gives the next door, as BigCommerce does.
func (b *platform) burst(t *testing.T, door string, resources, each int, acked func(n int), redo func() string) {
	t.Helper()
	var workers sync.WaitGroup
	var mu sync.Mutex
	n := 0
	next := make(chan int, resources)
	for r := range resources {
		next <- r + 1
	}
	close(next)
	for range 8 {
		workers.Go(func() {
			own := door
			for resource := range next {
				for seq := range each {
					m := message{fmt.Sprintf("msg_%d_%d", resource, seq), resource, seq}
					if err := b.send(own, m); err != nil {
						own = redo()
						if err := b.send(own, m); err != nil {
							t.Errorf("%s: %v", m.id, err)
							return
						}
					}
					mu.Lock()
					n++
					count := n
					mu.Unlock()
					acked(count)
				}
			}
		})
	}
	workers.Wait()
}

// localApp takes deliveries on an address that was chosen before it runs.
type localApp struct {
	got chan message
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func startApp(t *testing.T, addr string, room int) *localApp {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Skipf("the port was taken meanwhile: %v", err)
	}
	a := &localApp{got: make(chan message, room)}
	verify := newPlatform().app
	server := &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = verify.VerifyWebhook(r.Header, body, time.Now())
		}
		var in struct{ Data struct{ ID, N int } }
		if err = errors.Join(err, json.Unmarshal(body, &in)); err != nil {
			t.Errorf("the app was sent %q: %v", body, err)
		}
		a.got <- message{r.Header.Get("webhook-id"), in.Data.ID, in.Data.N}
	})}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return a
}

func burstConfig(t *testing.T, app string) string {
	t.Helper()
	return configFile(t, fmt.Sprintf(`app: {client_id: bcdev0clientid0example, client_secret: %s, forward_to: "http://%s"}
tunnel: {provider: none, public_url: "https://tunnel.example", listen: "127.0.0.1:0"}
proxy: {listen: "127.0.0.1:0"}
inspector: {listen: "127.0.0.1:0"}
capture: {keep_exchanges: 100000}
`, guideSecret, app))
}

func TestABurstWhileTheAppIsDownSurvivesAKillAndIsDeliveredOnceAndInOrder(t *testing.T) {
	const resources, each, all = 50, 20, 1000
	binary, state, addr := buildBinary(t), filepath.Join(t.TempDir(), "state"), freeAddr(t)
	config := burstConfig(t, addr)
	first := startProcess(t, binary, state, config)
	bc := newPlatform()

	middle := make(chan struct{})
	var second *process
	restarted := make(chan struct{})
	go func() {
		defer close(restarted)
		<-middle
		first.kill()
		second = startProcess(t, binary, state, config)
	}()
	bc.burst(t, first.ready.text("tunnel_listen"), resources, each,
		func(n int) {
			if n == all/2 {
				close(middle)
			}
		},
		func() string {
			<-restarted
			if second == nil {
				return "" // it did not start, and has said so
			}
			return second.ready.text("tunnel_listen")
		})
	if t.Failed() {
		return
	}
	t.Logf("%d acknowledged: p50 %s, p99 %s", len(bc.took), bc.percentile(0.5), bc.percentile(0.99))
	most := 500 * time.Millisecond // on a machine that does ten things at once
	if os.Getenv("BCDEV_STRICT_TIMES") != "" {
		most = 50 * time.Millisecond
	}
	if p99 := bc.percentile(0.99); p99 > most {
		t.Errorf("p99 is %s", p99)
	}
	if n := second.waiting(); n != all {
		t.Errorf("%d wait for the app", n)
	}

	app := startApp(t, addr, 2*all)
	seen, last := map[string]int{}, map[int]int{}
	limit := time.After(patience)
	for range all {
		select {
		case m := <-app.got:
			seen[m.id]++
			if want := last[m.resource]; m.seq != want {
				t.Fatalf("resource %d got event %d, not %d", m.resource, m.seq, want)
			}
			last[m.resource]++
		case <-limit:
			t.Fatalf("%d of %d were delivered", len(seen), all)
		}
	}
	for deadline := time.Now().Add(patience); second.waiting() > 0 && time.Now().Before(deadline); { // the last answers are being noted
		runtime.Gosched()
	}
	if len(app.got) > 0 || len(seen) != all {
		t.Errorf("%d different events came, and %d more than were sent", len(seen), len(app.got))
	}
}

func TestTenThousandWaitingEventsKeepMemorySmall(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("memory is read from /proc")
	}
	binary, state := buildBinary(t), filepath.Join(t.TempDir(), "state")
	p := startProcess(t, binary, state, burstConfig(t, freeAddr(t)))
	bc := newPlatform()
	bc.burst(t, p.ready.text("tunnel_listen"), 1000, 10, func(int) {}, func() string { return p.ready.text("tunnel_listen") })
	if n := p.waiting(); n != 10_000 {
		t.Errorf("%d wait", n)
	}
	rss := residentMB(t, p.cmd.Process.Pid)
	t.Logf("10,000 waiting: %.1f MB resident, p99 %s", rss, bc.percentile(0.99))
	if rss > 80 {
		t.Errorf("%.1f MB resident", rss)
	}
}

// residentMB is the resident memory of a process in 10^6 bytes.
func residentMB(t *testing.T, pid int) float64 {
	t.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmRSS:" {
			kib, err := strconv.ParseFloat(fields[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib * 1024 / 1e6
		}
	}
	t.Fatal("no VmRSS")
	return 0
}
