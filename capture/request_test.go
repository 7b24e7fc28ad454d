package capture_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"bcdev/capture"
)

// wire sends r to a socket and returns the bytes that arrive.
func wire(t *testing.T, request func(base *url.URL) *http.Request) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			got <- err.Error()
			return
		}
		defer conn.Close()
		var seen strings.Builder
		req, err := http.ReadRequest(bufio.NewReader(io.TeeReader(conn, &seen)))
		if err == nil {
			io.Copy(io.Discard, req.Body)
		}
		io.WriteString(conn, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
		got <- seen.String()
	}()
	tr := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	resp, err := tr.RoundTrip(request(&url.URL{Scheme: "http", Host: l.Addr().String()}))
	if err == nil {
		resp.Body.Close()
	}
	return <-got
}

func TestARequestIsMadeAgainByteForByte(t *testing.T) {
	e := capture.Exchange{Method: "POST", Target: "/a%2Fb/%7Ec|d;x?q=a+b&q=%20&&z", Request: capture.Message{
		Header: http.Header{"X-Multi": {"1", "2", ""}, "Connection": {"X-Gone, close"}, "X-Gone": {"1"}, "Keep-Alive": {"1"},
			"Te": {"trailers"}, "Transfer-Encoding": {"chunked"}, "Content-Length": {"99"}, "Host": {"other"}, "Content-Type": {"text/x"},
			"Cookie": {"a=••••"}},
		Body: []byte("\x00\xffbody")}}
	got := wire(t, func(base *url.URL) *http.Request {
		r, err := e.NewRequest(context.Background(), base)
		if err != nil {
			t.Fatal(err)
		}
		return r
	})
	head, body, _ := strings.Cut(got, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	if lines[0] != "POST /a%2Fb/%7Ec|d;x?q=a+b&q=%20&&z HTTP/1.1" {
		t.Errorf("request line %q", lines[0])
	}
	if body != "\x00\xffbody" {
		t.Errorf("body %q", body)
	}
	for _, want := range []string{"X-Multi: 1\r\nX-Multi: 2\r\nX-Multi: \r\n", "Content-Type: text/x", "Content-Length: 6"} {
		if !strings.Contains(head+"\r\n", want) {
			t.Errorf("%q is missing in %q", want, head)
		}
	}
	for _, no := range []string{"X-Gone", "Keep-Alive", "Te:", "Transfer-Encoding", "Host: other", "User-Agent", "Accept-Encoding", "Cookie"} {
		if strings.Contains(head, no) {
			t.Errorf("%q came along: %q", no, head)
		}
	}
}

func TestTargetsStayAsTheyWere(t *testing.T) {
	for target, want := range map[string]string{
		"/":                           "/",
		"":                            "/",
		"/?":                          "/?",
		"/a?b?c":                      "/a?b?c",
		"//host/path":                 "//host/path",
		"/%":                          "/%",
		"/ü":                          "/ü",
		"/a%2f%2F":                    "/a%2f%2F",
		"/a/../b/./c//":               "/a/../b/./c//",
		`/"<>^{}`:                     `/"<>^{}`,
		"http://other.example/x?y":    "/x?y",
		"https://other.example":       "/",
		"https://other.example?q=1":   "/?q=1",
		"/auth?code=c&context=stores": "/auth?code=c&context=stores",
	} {
		r, err := capture.Exchange{Method: "GET", Target: target}.NewRequest(context.Background(), &url.URL{Scheme: "http", Host: "h"})
		if err != nil {
			t.Errorf("%q: %v", target, err)
			continue
		}
		if got := r.URL.RequestURI(); got != want {
			t.Errorf("%q becomes %q, want %q", target, got, want)
		}
		if r.URL.Host != "h" {
			t.Errorf("%q goes to %q", target, r.URL.Host)
		}
	}
	r, err := capture.Exchange{Method: "GET", Target: "/x%2F"}.NewRequest(context.Background(), &url.URL{Scheme: "http", Host: "h", Path: "/app/"})
	if err != nil || r.URL.RequestURI() != "/app/x%2F" {
		t.Errorf("got %v, %v", r.URL, err)
	}
}

func TestWhatCannotBeMadeAgainIsRefused(t *testing.T) {
	base := &url.URL{Scheme: "http", Host: "h"}
	for _, m := range []capture.Message{{Truncated: true}, {Dropped: true}} {
		if _, err := (capture.Exchange{Method: "GET", Request: m}).NewRequest(context.Background(), base); !errors.Is(err, capture.ErrTruncated) {
			t.Errorf("got %v", err)
		}
	}
	for _, e := range []capture.Exchange{{Method: "GET", Target: "/a b"}, {Method: "GET", Target: "/a\r\nX: y"}, {Method: "G T", Target: "/"}} {
		if _, err := e.NewRequest(context.Background(), base); err == nil {
			t.Errorf("%+v was made", e)
		}
	}
}
