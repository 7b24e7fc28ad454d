package capture_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"runtime"
	"testing"

	"bcdev/capture"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// packed compresses what r gives.
func packed(t testing.TB, encoding string, r io.Reader) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch encoding {
	case "gzip":
		w = gzip.NewWriter(&out)
	case "deflate":
		w = zlib.NewWriter(&out)
	case "raw deflate":
		w, err = flate.NewWriter(&out, 6)
	case "br":
		w = brotli.NewWriterLevel(&out, 3)
	case "zstd":
		w, err = zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, r); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func message(encoding string, body []byte) capture.Message {
	return capture.Message{Header: http.Header{"Content-Encoding": {encoding}}, Body: body, Size: int64(len(body))}
}

func TestBodiesAreDecoded(t *testing.T) {
	text := []byte("hello, hello, hello")
	for name, m := range map[string]capture.Message{
		"plain":             message("", text),
		"identity":          message("identity", text),
		"gzip":              message("GZIP", packed(t, "gzip", bytes.NewReader(text))),
		"deflate":           message("deflate", packed(t, "deflate", bytes.NewReader(text))),
		"deflate, raw":      message("deflate", packed(t, "raw deflate", bytes.NewReader(text))),
		"br":                message("br", packed(t, "br", bytes.NewReader(text))),
		"zstd":              message("zstd", packed(t, "zstd", bytes.NewReader(text))),
		"gzip, then br":     message("gzip, br", packed(t, "br", bytes.NewReader(packed(t, "gzip", bytes.NewReader(text))))),
		"truncated in gzip": {Header: http.Header{"Content-Encoding": {"identity"}}, Body: text, Truncated: true},
	} {
		if got, cut, err := m.Decoded(0); string(got) != string(text) || cut || err != nil {
			t.Errorf("%s: %q, %v, %v", name, got, cut, err)
		}
	}
}

func TestWhatCannotBeDecodedIsAnError(t *testing.T) {
	for name, m := range map[string]capture.Message{
		"noise as gzip":    message("gzip", []byte("noise")),
		"noise as zstd":    message("zstd", []byte("noise")),
		"noise as deflate": message("deflate", []byte("\x78\x9cnoise")),
		"unknown":          message("compress", []byte("x")),
		"too many":         message("gzip, gzip, gzip, gzip, gzip", nil),
		"empty gzip":       message("gzip", nil),
	} {
		if _, _, err := m.Decoded(0); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	whole := packed(t, "gzip", bytes.NewReader(bytes.Repeat([]byte("abc "), 10_000)))
	half := message("gzip", whole[:len(whole)/2])
	if got, _, err := half.Decoded(0); err == nil || len(got) == 0 {
		t.Errorf("half of it: %d bytes, %v", len(got), err)
	}
	half.Truncated = true
	if got, cut, err := half.Decoded(0); err != nil || !cut || len(got) == 0 {
		t.Errorf("half of it, and known to be: %d bytes, %v, %v", len(got), cut, err)
	}
}

// Rows P66 and C12 of the hostile inputs: small bodies that inflate a thousand times.
func TestABombIsCutAtTheCap(t *testing.T) {
	for _, encoding := range []string{"gzip", "deflate", "br", "zstd"} {
		m := message(encoding, packed(t, encoding, io.LimitReader(zeros{}, 24<<20)))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, cut, err := m.Decoded(0)
		runtime.ReadMemStats(&after)
		if len(got) != 8<<20 || !cut || err != nil {
			t.Errorf("%s: %d bytes, %v, %v", encoding, len(got), cut, err)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
			t.Errorf("%s allocated %d MiB", encoding, grown>>20)
		}
		if got, cut, _ := m.Decoded(1000); len(got) != 1000 || !cut {
			t.Errorf("%s with a limit: %d bytes, %v", encoding, len(got), cut)
		}
	}
}
