package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// nodeReceiver is an app in another language, which verifies with a library that is not ours.
type nodeReceiver struct {
	t     *testing.T
	url   string
	lines chan receipt
}

// receipt is what the receiver prints of a request.
type receipt struct {
	Port  int
	ID    string
	Body  string
	OK    bool
	Error string
}

func startNode(t *testing.T, secret string) *nodeReceiver {
	t.Helper()
	dir, err := filepath.Abs("../../e2e/clients/webhooks")
	if err != nil {
		t.Fatal(err)
	}
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join(dir, "node_modules", "standardwebhooks"))
	}
	if err != nil {
		if os.Getenv("BCDEV_NEEDS_NODE") != "" {
			t.Fatal(err)
		}
		t.Skip("e2e/clients/webhooks/run installs what this needs")
	}
	cmd := exec.Command(node, "receiver.js")
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	cmd.Env = append(os.Environ(), "CLIENT_SECRET="+secret)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n := &nodeReceiver{t: t, lines: make(chan receipt, 100)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var r receipt
			if json.Unmarshal(lines.Bytes(), &r) == nil {
				n.lines <- r
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait()
	})
	n.url = fmt.Sprintf("http://127.0.0.1:%d", n.next().Port)
	return n
}

func (n *nodeReceiver) next() receipt {
	n.t.Helper()
	select {
	case r := <-n.lines:
		return r
	case <-time.After(patience):
		n.t.Fatal("nothing arrived at the receiver")
		return receipt{}
	}
}

func TestAStandardWebhooksLibraryBelievesOriginalReplayedAndTriggeredEventsAndNoChangedByte(t *testing.T) {
	f := startFar(t)
	node := startNode(t, f.ready.text("client_secret"))
	env := append(f.env, "BCDEV_APP_FORWARD_TO="+node.url)
	r := start(t, env, "up", "--json")
	up := r.next("ready")
	f.install(r, up)
	node.next() // the install callback, forwarded; it is no webhook
	r.ok(env, "hooks", "add", "store/product/updated")

	believed := func(how, want string) receipt {
		t.Helper()
		got := node.next()
		if !got.OK || !strings.Contains(got.Body, want) {
			t.Errorf("%s: the library says %+v", how, got)
		}
		return got
	}
	ask(t, "PUT", up.text("proxy_url")+"/v3/catalog/products/77", `{"name":"Changed"}`, "Content-Type", "application/json")
	original := believed("an original", `"id":77`)
	r.ok(env, "replay", "latest", "webhook")
	if replayed := believed("a replay", `"id":77`); replayed.Body != original.Body {
		t.Errorf("replayed as %q, not as %q", replayed.Body, original.Body)
	}
	r.ok(env, "replay", "latest", "webhook", "--set", "body.data.id=78")
	believed("a replay that was changed, and signed anew", `"id":78`)
	r.ok(env, "trigger", "store/order/created", "--set", "data.id=4711", "--times", "2")
	first, second := believed("a trigger", `"id":4711`), believed("its repetition", `"id":4711`)
	if first.ID == second.ID {
		t.Error("two triggers are one message")
	}
	r.ok(env, "trigger", "store/cart/converted", "--public")
	believed("a trigger through the public URL", "store/cart/converted")

	if code, out, _ := r.command(env, "replay", "latest", "store/product/updated", "--as-is", "--set", "body.data.id=76"); code != 1 {
		t.Errorf("a changed byte: exit %d\n%s", code, out)
	}
	if got := node.next(); got.OK || !strings.Contains(got.Error, "signature") {
		t.Errorf("a changed byte: the library says %+v", got)
	}
	res, err := http.Post(node.url+"/webhooks", "application/json", strings.NewReader(original.Body))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got := node.next(); got.OK {
		t.Error("the library believes what nobody signed: it proves nothing")
	}
}
