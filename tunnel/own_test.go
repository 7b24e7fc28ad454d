package tunnel_test

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"

	"bcdev/tunnel"
)

func TestATunnelOfOnesOwnHasTheSameShape(t *testing.T) {
	tun, err := tunnel.Listen("127.0.0.1:0", "https://mine.example/")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, tun, echoPath())
	if tun.URL() != "https://mine.example" || tun.Provider() != "none" {
		t.Errorf("URL is %q of %q", tun.URL(), tun.Provider())
	}
	if s, _ := tun.State(); s != tunnel.Up {
		t.Errorf("state is %q", s)
	}
	if got := get(t, http.DefaultClient, "http://"+tun.Addr().String()+"/x"); got.body != "hello /x" {
		t.Errorf("got %q", got.body)
	}
	took(t, "Close", promptly, tun.Drop)
	if _, err := tun.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept says %v", err)
	}
	next(t, tun, tunnel.Closed)
	if c, err := net.Dial("tcp", tun.Addr().String()); err == nil {
		c.Close()
		t.Error("the port is still open")
	}
}

func TestAnAddressThatIsTakenIsExplained(t *testing.T) {
	first, err := tunnel.Listen("127.0.0.1:0", "https://mine.example")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Drop()
	_, err = tunnel.Listen(first.Addr().String(), "https://mine.example")
	if got := problem(t, err); !strings.Contains(got.Error(), first.Addr().String()) || !strings.Contains(got.Hint(), "tunnel.listen") {
		t.Errorf("got %q, hint %q", got, got.Hint())
	}
}
