package capture_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"bcdev/capture"
)

func apiClient(j *capture.Journal) *http.Client {
	return &http.Client{Transport: j.RoundTripper(capture.API, &http.Transport{DisableCompression: true})}
}

func TestHowACallEndsIsRecorded(t *testing.T) {
	release := make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/cut":
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "short")
		case "/slow":
			io.WriteString(w, "start")
			w.(http.Flusher).Flush()
			<-release
		case "/ours":
			w.Header().Set("Bcdev-Error", "read_only")
			w.WriteHeader(http.StatusForbidden)
		case "/trailer":
			w.Header().Set("Trailer", "X-Sum")
			io.WriteString(w, "body")
			w.Header().Set("X-Sum", "42")
		case "/empty":
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	defer up.Close()
	defer close(release)
	for _, c := range []struct {
		path  string
		use   func(resp *http.Response, cancel func())
		check func(e capture.Exchange) bool
	}{
		{"/cut", drain, func(e capture.Exchange) bool {
			return e.Status == 200 && e.Err == "unexpected EOF" && string(e.Response.Body) == "short"
		}},
		{"/slow", func(resp *http.Response, _ func()) { io.ReadFull(resp.Body, make([]byte, 5)); resp.Body.Close() },
			func(e capture.Exchange) bool { return e.Err != "" && string(e.Response.Body) == "start" }},
		{"/slow", func(resp *http.Response, cancel func()) {
			io.ReadFull(resp.Body, make([]byte, 5))
			cancel()
			drain(resp, nil)
		}, func(e capture.Exchange) bool { return e.Err == "the client went away" }},
		{"/ours", drain, func(e capture.Exchange) bool { return e.Err == "read_only" && e.Status == 403 }},
		{"/trailer", drain, func(e capture.Exchange) bool { return e.Response.Trailer.Get("X-Sum") == "42" && e.Err == "" }},
		{"/empty", drain, func(e capture.Exchange) bool { return e.Status == 204 && e.Err == "" && e.Response.Size == 0 }},
	} {
		j, _ := open(t, capture.Options{})
		ctx, cancel := context.WithCancel(context.Background())
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, up.URL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := apiClient(j).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		c.use(resp, cancel)
		cancel()
		flush(t, j)
		if es := find(t, j, capture.Query{Bodies: true}); len(es) != 1 || !c.check(es[0]) {
			t.Errorf("%s: %+v", c.path, es)
		}
	}
}

func drain(resp *http.Response, _ func()) {
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
}

func TestAnUpstreamThatCannotBeReachedIsRecorded(t *testing.T) {
	j, _ := open(t, capture.Options{})
	up := httptest.NewServer(nil)
	up.Close()
	if _, err := apiClient(j).Post(up.URL+"/stores/abc/v3/x", "text/plain", strings.NewReader("body")); err == nil {
		t.Fatal("no error")
	}
	flush(t, j)
	if e := get(t, j, "latest"); e.Status != 0 || e.Err == "" || e.Store != "abc" || e.Response.SHA256 != "" {
		t.Errorf("got %+v", e)
	}
	if es := find(t, j, capture.Query{Status: "0", Text: "refused"}); len(es) != 1 {
		t.Errorf("found %d", len(es))
	}
}

func TestARetriedBodyIsRecordedOnce(t *testing.T) {
	j, _ := open(t, capture.Options{})
	rt := j.RoundTripper(capture.API, roundTripFunc(func(r *http.Request) (*http.Response, error) {
		half := make([]byte, 3)
		io.ReadFull(r.Body, half)
		again, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		got, err := io.ReadAll(again)
		if string(got) != "whole body" || err != nil {
			t.Errorf("sent %q, %v", got, err)
		}
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Header: http.Header{}}, nil
	}))
	req, err := http.NewRequest(http.MethodPost, "http://h/", strings.NewReader("whole body"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rt.RoundTrip(req); err != nil {
		t.Fatal(err)
	}
	flush(t, j)
	if e := get(t, j, "1"); string(e.Request.Body) != "whole body" || e.Request.Truncated || e.Request.Size != 10 {
		t.Errorf("got %+v", e.Request)
	}
}

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAttemptsFollowTheirCall(t *testing.T) {
	j, _ := open(t, capture.Options{})
	rt := j.RoundTripper(capture.API, roundTripFunc(func(r *http.Request) (*http.Response, error) {
		n := capture.NoteOf(r.Context())
		n.Attempt(capture.Exchange{Door: capture.API, Kind: capture.Call, Status: 429, Via: "retry", Attempt: 1, Target: "/v3/x"})
		n.Set(func(e *capture.Exchange) { e.Attempt = 2 })
		return nil, errors.New("broken")
	}))
	if _, err := rt.RoundTrip(httptest.NewRequest(http.MethodGet, "http://h/v3/x", nil)); err == nil {
		t.Fatal("no error")
	}
	flush(t, j)
	e := get(t, j, "1")
	if es := find(t, j, capture.Query{Of: e.ID}); e.Attempt != 2 || len(es) != 1 || es[0].Status != 429 {
		t.Errorf("got %+v, %+v", e, es)
	}
}

func TestManyCallsAtOnceAreEachRecordedOnce(t *testing.T) {
	const workers, each = 16, 20
	j, _ := open(t, capture.Options{})
	watched := j.Watch(t.Context())
	go func() {
		for e := range watched {
			_ = e.Request.Header.Get("X-N")
		}
	}()
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }))
	defer up.Close()
	client := apiClient(j)
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() {
			for k := range each {
				text := fmt.Sprintf("%d of %d", k, i)
				resp, err := client.Post(up.URL+"/stores/abc/v3/"+text, "text/plain", strings.NewReader(text))
				if err != nil {
					t.Error(err)
					return
				}
				drain(resp, nil)
			}
		})
	}
	all.Wait()
	flush(t, j)
	seen := map[string]bool{}
	for _, e := range find(t, j, capture.Query{Limit: 1000, Bodies: true}) {
		if string(e.Request.Body) != string(e.Response.Body) || !strings.HasSuffix(e.Target, strings.ReplaceAll(string(e.Request.Body), " ", "%20")) {
			t.Errorf("%s: %q, %q", e.Target, e.Request.Body, e.Response.Body)
		}
		seen[string(e.Request.Body)] = true
	}
	if len(seen) != workers*each {
		t.Errorf("%d of %d", len(seen), workers*each)
	}
}

func TestRecordingChangesNoByte(t *testing.T) {
	j, _ := open(t, capture.Options{BodyLimit: 1000})
	big := bytes.Repeat([]byte("0123456789"), 50_000)
	zipped := packed(t, "gzip", bytes.NewReader(big))
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !bytes.Equal(body, big) {
			t.Errorf("upstream received %d bytes", len(body))
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(zipped)
	}))
	defer up.Close()
	resp, err := apiClient(j).Post(up.URL, "x/y", bytes.NewReader(big))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if !bytes.Equal(got, zipped) || err != nil {
		t.Errorf("%d bytes of %d, %v", len(got), len(zipped), err)
	}
	flush(t, j)
	if e := get(t, j, "1"); e.Request.Size != int64(len(big)) || !e.Request.Truncated || len(e.Request.Body) != 1000 ||
		!bytes.Equal(e.Response.Body, zipped[:min(1000, len(zipped))]) {
		t.Errorf("got %d, %d", len(e.Request.Body), len(e.Response.Body))
	}
}
