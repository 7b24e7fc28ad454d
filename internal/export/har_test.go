package export

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bcdev/capture"
)

func zipped(text string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.Bytes()
}

func archived() []capture.Exchange {
	at := time.Date(2026, 11, 22, 21, 0, 0, 123e6, time.UTC)
	packed := zipped(`{"data":[]}`)
	return []capture.Exchange{
		{ID: 2, Door: capture.API, Kind: capture.Call, Store: "abc123xyz", At: at.Add(time.Second), Took: 41 * time.Millisecond, First: 40 * time.Millisecond,
			Method: "GET", Target: "/stores/abc123xyz/v3/catalog/products?include=images%2Cvariants&x", Host: "api.bigcommerce.com", Proto: "HTTP/2.0", Status: 200, Hint: "fine", Marks: []string{"fault"},
			Request:  capture.Message{Header: http.Header{"Accept": {"application/json"}, "X-Many": {"b", "a"}}},
			Response: capture.Message{Header: http.Header{"Content-Encoding": {"gzip"}, "Content-Type": {"application/json"}}, Body: packed, Size: int64(len(packed))}},
		{ID: 1, Door: capture.Public, Kind: capture.Hook, Topic: "store/order/created", Store: "abc123xyz", At: at, Took: time.Millisecond, Method: "POST",
			Target: "/webhooks", Host: "you.ngrok.app", Proto: "HTTP/1.1", Status: 200,
			Request:  capture.Message{Header: http.Header{"Content-Type": {"application/octet-stream"}}, Body: []byte{0, 0xff, '"'}, Size: 3},
			Response: capture.Message{Header: http.Header{"Content-Type": {"image/png"}}, Body: []byte{0x89, 'P'}, Size: 9000, Truncated: true}},
		{ID: 3, Door: capture.API, Kind: capture.Call, Store: "abc123xyz", At: at.Add(time.Minute), Took: time.Second, Method: "GET", Target: "/v3/x", Proto: "HTTP/1.1", Err: "upstream timeout"},
	}
}

// The members HAR 1.2 demands, by object.
var demanded = map[string][]string{
	"log":      {"version", "creator", "entries"},
	"entry":    {"startedDateTime", "time", "request", "response", "cache", "timings"},
	"request":  {"method", "url", "httpVersion", "cookies", "headers", "queryString", "headersSize", "bodySize"},
	"response": {"status", "statusText", "httpVersion", "cookies", "headers", "content", "redirectURL", "headersSize", "bodySize"},
	"content":  {"size", "mimeType"},
	"timings":  {"send", "wait", "receive"},
	"postData": {"mimeType", "text"},
}

func TestHARHasEverythingItsSpecificationDemands(t *testing.T) { // I17
	out, err := HAR(archived(), Options{Version: "1.0"})
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := json.Unmarshal(out, &file); err != nil {
		t.Fatal(err)
	}
	complete := func(name string, value any) map[string]any {
		object, ok := value.(map[string]any)
		if !ok {
			t.Fatalf("%s is %T", name, value)
		}
		for _, member := range demanded[name] {
			if v, there := object[member]; !there || v == nil {
				t.Errorf("%s has no %s", name, member)
			}
		}
		return object
	}
	log := complete("log", file["log"])
	if log["version"] != "1.2" {
		t.Errorf("version %v", log["version"])
	}
	last := ""
	for _, each := range log["entries"].([]any) {
		entry := complete("entry", each)
		complete("content", complete("response", entry["response"])["content"])
		if post := complete("request", entry["request"])["postData"]; post != nil {
			complete("postData", post)
		}
		sum := 0.0
		for name, v := range complete("timings", entry["timings"]) {
			if ms := v.(float64); ms >= 0 {
				sum += ms
			} else if name == "send" || name == "wait" || name == "receive" {
				t.Errorf("%s is negative", name)
			}
		}
		if sum != entry["time"] {
			t.Errorf("time %v is not the sum of the timings, %v", entry["time"], sum)
		}
		started := entry["startedDateTime"].(string)
		if _, err := time.Parse(time.RFC3339, started); err != nil || started < last {
			t.Errorf("started %q after %q: %v", started, last, err)
		}
		last = started
	}
}

func TestWhatIsWrittenAsHARIsReadBack(t *testing.T) {
	out, err := HAR(archived(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadHAR(bytes.NewReader(append([]byte("\xef\xbb\xbf"), out...)))
	if err != nil {
		t.Fatal(err)
	}
	hook, call, failed := got[0], got[1], got[2]
	if call.Door != capture.API || call.Store != "abc123xyz" || call.Kind != capture.Call || call.Via != "import" || call.ID != 0 || call.Hint != "fine" {
		t.Errorf("call: %+v", call)
	}
	if want := archived()[0]; call.Target != want.Target || call.Took != want.Took || call.First != want.First || !call.At.Equal(want.At) || call.Proto != want.Proto {
		t.Errorf("call: %+v, want %+v", call, want)
	}
	if diff := cmp.Diff(http.Header{"Accept": {"application/json"}, "X-Many": {"b", "a"}}, call.Request.Header); diff != "" {
		t.Error(diff)
	}
	if r := call.Response; string(r.Body) != `{"data":[]}` || r.Header.Get("Content-Encoding") != "" || r.Truncated || r.Size != 11 {
		t.Errorf("response: %+v", r)
	}
	if hook.Kind != capture.Hook || hook.Topic != "store/order/created" || !bytes.Equal(hook.Request.Body, []byte{0, 0xff, '"'}) {
		t.Errorf("webhook: %+v", hook)
	}
	if r := hook.Response; !r.Truncated || r.Size != 9000 || !bytes.Equal(r.Body, []byte{0x89, 'P'}) {
		t.Errorf("cut response: %+v", r)
	}
	if failed.Status != 0 || failed.Err != "upstream timeout" || failed.Target != "/stores/abc123xyz/v3/x" {
		t.Errorf("failed call: %+v", failed)
	}
}

// As Chromium writes it: pseudo fields, HTTP versions in lower case, parameters, extra members.
const chromiums = `{"log":{"version":"1.2","creator":{"name":"WebInspector","version":"537.36"},"pages":[],"entries":[{"_initiator":{"type":"other"},
"startedDateTime":"2026-11-22T21:00:00.000Z","time":12.5,"request":{"method":"POST","url":"https://login.bigcommerce.com/oauth2/token?code=SECRETCODE#x","httpVersion":"h3",
"headers":[{"name":":authority","value":"x"},{"name":"authorization","value":"Bearer SECRETTOKEN"},{"name":"cookie","value":"a=SECRETCOOKIE"},{"name":"bad name","value":"x"},{"name":"x-bad","value":"a\r\nb"},{"name":"x-ok","value":"1"}],
"queryString":[],"cookies":[{"name":"a","value":"SECRETCOOKIE"}],"headersSize":-1,"bodySize":5,"postData":{"mimeType":"application/x-www-form-urlencoded","params":[{"name":"client_secret","value":"SECRETAPP"},{"name":"b","value":"1 2"}]}},
"response":{"status":200,"statusText":"","httpVersion":"h3","headers":[{"name":"content-encoding","value":"br"}],"cookies":[],"content":{"size":2,"mimeType":"text/plain","text":"aGk=","encoding":"base64"},"redirectURL":"","headersSize":-1,"bodySize":-1},
"cache":{},"timings":{"blocked":1.5,"dns":-1,"ssl":-1,"connect":-1,"send":0.5,"wait":10,"receive":0.5}}]}}`

func TestOtherToolsArchivesAreReadAndTheirSecretsMasked(t *testing.T) {
	got, err := ReadHAR(strings.NewReader(chromiums))
	if err != nil {
		t.Fatal(err)
	}
	e := got[0]
	if e.Kind != capture.Token || e.Method != http.MethodPost || e.Host != "login.bigcommerce.com" || e.Proto != "HTTP/3.0" || e.Took != 12500*time.Microsecond || e.First != 10500*time.Microsecond {
		t.Errorf("%+v", e)
	}
	if string(e.Response.Body) != "hi" || e.Request.Header.Get("x-ok") != "1" || len(e.Request.Header) != 3 {
		t.Errorf("%+v", e)
	}
	all, _ := json.Marshal(got)
	if bytes.Contains(all, []byte("SECRET")) || strings.Contains(string(e.Request.Body), "SECRET") {
		t.Errorf("a secret came in: %s, body %s", all, e.Request.Body)
	}
}

func TestBadArchivesAreRefusedWithAReason(t *testing.T) {
	entry := `{"request":{"method":"GET","url":"https://x/"},"response":{}}`
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "not an HTTP Archive"},
		{"no JSON", "<html>", "not an HTTP Archive"},
		{"no log", `{"entries":[]}`, "it has no log"},
		{"a broken URL", `{"log":{"entries":[{"request":{"method":"GET","url":"https://x/%zz?code=SECRET"}}]}}`, "entry 1: its URL cannot be read"},
		{"a broken method", `{"log":{"entries":[` + entry + `,{"request":{"method":"G\u001b T","url":"/"}}]}}`, `entry 2: "G\\x1b T" is no method`},
		{"broken base64", `{"log":{"entries":[{"request":{"method":"GET","url":"/"},"response":{"content":{"text":"*","encoding":"base64"}}}]}}`, "the response's body: reading base64"},
		{"too many entries", `{"log":{"entries":[` + strings.Repeat(entry+",", maxEntries) + entry + `]}}`, "10001 entries"},
	} {
		_, err := ReadHAR(strings.NewReader(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := ReadHAR(endless{}); err == nil || !strings.Contains(err.Error(), "more than 64 MiB") {
		t.Errorf("endless: %v", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func FuzzReadHAR(f *testing.F) {
	out, err := HAR(archived(), Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(out)
	f.Add([]byte(chromiums))
	f.Add([]byte(`{"log":{"entries":[{"time":1e308,"startedDateTime":"x","request":{"method":"A","url":"?","bodySize":9223372036854775807,"postData":{"text":"x"}},"response":{"status":-1,"content":{"size":-5}}}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := ReadHAR(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, e := range got {
			if e.Took < 0 || e.First < 0 || e.First > e.Took || e.Status < 0 || !strings.HasPrefix(e.Target, "/") && e.Target != "*" {
				t.Errorf("%+v", e)
			}
			for _, m := range []capture.Message{e.Request, e.Response} {
				if m.Size < int64(len(m.Body)) {
					t.Errorf("size %d of %d bytes", m.Size, len(m.Body))
				}
			}
			for _, write := range writers() {
				write(e, Options{})
			}
		}
		if _, err := HAR(got, Options{}); err != nil {
			t.Error(err)
		}
	})
}
