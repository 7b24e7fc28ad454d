package capture

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"testing"
)

// canned answers every request with the same bytes, without a network.
type canned struct{ body []byte }

func (c canned) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Proto: "HTTP/1.1", ContentLength: int64(len(c.body)),
		Header: http.Header{"Content-Type": {"application/json"}, "X-Rate-Limit-Requests-Left": {"149"},
			"Date": {"Mon, 23 Nov 2026 05:00:00 GMT"}},
		Body: io.NopCloser(bytes.NewReader(c.body))}, nil
}

// BenchmarkRoundTrip shows what recording adds to an API call: run it with -benchmem and take
// "off" from "on".
func BenchmarkRoundTrip(b *testing.B) {
	for _, size := range []int{200, 20_000} {
		for _, on := range []bool{false, true} {
			name := map[bool]string{false: "off", true: "on"}[on] + map[int]string{200: " 200 B", 20_000: " 20 KB"}[size]
			b.Run(name, func(b *testing.B) {
				var rt http.RoundTripper = canned{bytes.Repeat([]byte("x"), size)}
				if on {
					secrets := []string{"0123456789abcdef0123456789abcde", "fedcba9876543210fedcba9876543210fedcba9876543210"}
					j, err := Open(filepath.Join(b.TempDir(), "j.db"), Options{KeepExchanges: 1 << 30, Known: func() []string { return secrets }})
					if err != nil {
						b.Fatal(err)
					}
					defer j.Close()
					rt = j.RoundTripper(API, rt)
				}
				b.ReportAllocs()
				for b.Loop() {
					roundTrip(b, rt)
				}
			})
		}
	}
}

func roundTrip(b testing.TB, rt http.RoundTripper) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet,
		"https://api.bigcommerce.com/stores/abc123/v3/catalog/products?include=images", nil)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "curl/8")
	resp, err := rt.RoundTrip(req)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		b.Fatal(err)
	}
	resp.Body.Close()
}

func TestRecordingACallCostsAtMost28Allocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const calls = 500
	j, err := Open(filepath.Join(t.TempDir(), "j.db"), Options{Known: func() []string { return []string{"0123456789abcdef"} }})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	cost := func(rt http.RoundTripper) float64 {
		return testing.AllocsPerRun(3, func() {
			for range calls {
				roundTrip(t, rt)
			}
			if err := j.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}) / calls
	}
	bare := canned{bytes.Repeat([]byte("x"), 200)}
	off := cost(bare)
	on := cost(j.RoundTripper(API, bare))
	t.Logf("allocations of a call: %.1f, recorded %.1f", off, on)
	if on-off > 28 {
		t.Errorf("recording costs %.1f allocations a call, at most 28 are allowed", on-off)
	}
}
