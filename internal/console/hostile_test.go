package console

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
)

// evil is what strangers send to take over a terminal: title, clipboard, colour, link, line
// overwriting, C1 controls, text that turns around or hides, broken UTF-8, a NUL.
const evil = "\x1b]0;pwned\a\x1b]52;c;ZXZpbA==\a\x1b[31m\x1b]8;;http://evil\x1b\\x\rover\nwrite\x00\u009b2J\u202e\u2066\u200b\ufeff\xff\x7f\U000e0041"

func obeyed(out string) (rune, bool) {
	if !utf8.ValidString(out) {
		return utf8.RuneError, true
	}
	for _, r := range out {
		if r == '\n' {
			continue
		}
		if unicode.In(r, unicode.Cc, unicode.Cf) {
			return r, true
		}
	}
	return 0, false
}

func hostileMessage() capture.Message {
	return capture.Message{Header: http.Header{"X-Evil" + evil: {evil}, "Content-Type": {evil}}, Trailer: http.Header{"T": {evil}},
		Body: []byte(`{"` + "k\u202e\u009b" + `":"` + "\u200b" + `"}`), Size: 20}
}

func hostileExchange() capture.Exchange {
	m := hostileMessage()
	return capture.Exchange{ID: 1, Door: evil, Kind: evil, Topic: evil, Store: evil, At: noon, Method: evil, Target: "/" + evil + "?a=" + evil,
		Host: evil, Proto: evil, Remote: evil, Request: m, Response: m, Status: 500, Err: evil, Of: 2, Via: evil, Attempt: 3,
		Verdict: evil, Hint: evil, Marks: []string{evil}}
}

func TestNoControlCharacterOfAStrangerReachesTheTerminal(t *testing.T) { // C08, C10, P85
	for _, speaksJSON := range []bool{false, true} {
		s := newScreen(func(o *Options) { o.JSON, o.Verbose, o.Interactive, o.Width = speaksJSON, true, true, 80 })
		e := hostileExchange()
		user := bigcommerce.User{ID: 1, Email: evil, Username: evil, Locale: evil}
		s.Ready(Ready{PublicURL: evil, Forward: evil, Stores: []string{evil}, Next: []string{evil}, Callbacks: map[string]string{"auth": evil}})
		s.Callback(e, bigcommerce.Install{Code: evil, Context: evil, Store: evil, Scopes: []string{evil}, AccountUUID: evil}, []string{evil}, []string{evil})
		s.Lifecycle(e, bigcommerce.Payload{Store: evil, User: user, Owner: user, URL: evil, ID: evil, Audience: evil, Issuer: evil, Legacy: true}, errors.New(evil))
		s.Granted(e, bigcommerce.Grant{Store: evil, Context: evil, Scopes: []string{evil}, User: user, Owner: user, Token: evil + "\x1b\x1b\x1b\x1b"}, evil, true)
		s.Refused(e, helpful{evil, evil})
		s.Exchange(e)
		s.Webhook(e, bigcommerce.Webhook{Scope: evil, Hash: evil, Store: evil}, helpful{evil, evil})
		s.Delivery(e)
		s.Link(evil, noon, evil)
		s.Quota(evil, 1, 2, time.Second)
		s.Problem(evil, helpful{evil, evil})
		s.Replay(Replayed{Exchange: e, Resigned: []string{evil}, Differences: []string{evil}, Diff: evil, Failed: evil})
		s.Replay(Replayed{DryRun: true, Sent: []byte(evil)})
		s.Step(1, evil, true, evil)
		s.Next([]string{evil})
		s.Notef("%s", evil)
		s.Print(evil)
		s.List([]capture.Exchange{e})
		s.Stores([]StoreRow{{Hash: evil, Alias: evil, User: evil, Where: evil, Scopes: []string{evil}, Token: evil}})
		s.Table([]string{evil}, [][]string{{evil}})
		for _, kind := range []capture.Kind{capture.Auth, capture.Load, capture.Hook, capture.Call, evil} {
			e.Kind = kind
			e.Detail, _ = json.Marshal(map[string]any{"context": evil, "scope": evil, "hash": evil, "url": evil, "problem": map[string]string{"text": evil, "hint": evil}})
			for _, o := range []ShowOptions{{}, {Raw: true}, {Headers: true}} {
				s.Show(e, o)
			}
		}
		for _, body := range []string{evil, "<a>" + evil + "</a>", "a=" + evil + "&b=%1b%5d0;", strings.Repeat("x", 50) + "\x1b]0;x\a"} {
			for _, media := range []string{"", "text/xml", "application/x-www-form-urlencoded", "text/plain"} {
				e.Response.Body, e.Response.Header = []byte(body), http.Header{"Content-Type": {media}}
				s.Show(e, ShowOptions{})
			}
		}
		Explain(s.err, helpful{evil, evil}, false)
		for name, out := range map[string]string{"output": s.out.String(), "error": s.err.String()} {
			if r, bad := obeyed(out); bad {
				i := strings.IndexRune(out, r)
				t.Errorf("JSON %v, standard %s: %U in %q", speaksJSON, name, r, out[max(0, i-60):min(len(out), i+20)])
			}
		}
		if !speaksJSON && !strings.Contains(s.out.String(), `\x1b]0;pwned\x07`) {
			t.Error("the escape is not shown as text")
		}
	}
}

func TestBodiesAreShownAsTheirTypeWants(t *testing.T) {
	packed := func(text string) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write([]byte(text))
		_ = w.Close()
		return b.Bytes()
	}
	for _, c := range []struct {
		name    string
		header  http.Header
		body    []byte
		cut     bool
		want    []string
		wantNot string
	}{
		{"JSON keeps order, duplicates, long numbers and spelling", nil, []byte(`{"b":1,"a":12345678901234567890.10,"b":"\u00e9é\/"}`), false,
			[]string{"  {\n    \"b\": 1,\n    \"a\": 12345678901234567890.10,\n    \"b\": \"\\u00e9é\\/\"\n  }\n"}, ""},
		{"empty containers stay closed", nil, []byte(` [ ] `), false, []string{"  []\n"}, ""},
		{"nested empty containers", nil, []byte(`{"a":{},"b":[[],{}]}`), false, []string{"\"a\": {},\n", "[\n      [],\n      {}\n    ]"}, ""},
		{"a colon or quote within a string is no syntax", nil, []byte(`{"a":"x\":{[","b":["c:",":"]}`), false, []string{"\"a\": \"x\\\":{[\",\n"}, ""},
		{"a lone literal", nil, []byte("null\n"), false, []string{"  null\n"}, ""},
		{"what is nearly JSON is text", nil, []byte(`{"a":1,}`), false, []string{"  {\"a\":1,}\n"}, ""},
		{"a form, one pair a line", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, []byte("a=1+2&b=%C3%A9&c"), false, []string{"a = 1 2\n", "b = é\n", "c = \n"}, ""},
		{"XML on one line is broken into lines", http.Header{"Content-Type": {"application/xml"}}, []byte(`<?xml version="1.0"?><orders><order><id>1</id><x/></order></orders>`), false,
			[]string{"  <orders>\n    <order>\n      <id>1</id>\n      <x/>\n    </order>\n  </orders>\n"}, ""},
		{"binary is dumped", nil, []byte{0, 1, 2, 0xff, 'P', 'N', 'G'}, false, []string{"00000000  00 01 02 ff 50 4e 47"}, ""},
		{"gzip is unpacked", http.Header{"Content-Encoding": {"gzip"}}, packed(`{"a":1}`), false, []string{"\"a\": 1", "unpacked from gzip"}, ""},
		{"what claims to be gzip and is not is dumped", http.Header{"Content-Encoding": {"gzip"}}, []byte{1, 2, 3, 0xfe}, false, []string{"01 02 03 fe", "gzip"}, "unpacked"},
		{"a cut body says its true size", nil, []byte(`{"a":`), true, []string{"cut: 5 B of 7.0 MB kept"}, ""},
		{"text cut within a letter is still text", nil, []byte("caf\xc3"), true, []string{`caf\xc3`}, "00000000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := capture.Message{Header: c.header, Body: c.body, Size: int64(len(c.body)), Truncated: c.cut}
			if c.cut {
				m.Size = 7_000_000
			}
			s := newScreen(nil)
			s.Show(capture.Exchange{ID: 1, Method: "GET", Target: "/", Status: 200, Response: m}, ShowOptions{})
			for _, want := range c.want {
				if !strings.Contains(s.out.String(), want) {
					t.Errorf("%q is not in\n%s", want, s.out)
				}
			}
			if c.wantNot != "" && strings.Contains(s.out.String(), c.wantNot) {
				t.Errorf("%q is in\n%s", c.wantNot, s.out)
			}
		})
	}
}

func TestDeepJSONStaysSmall(t *testing.T) {
	body := strings.Repeat("[", 9000) + strings.Repeat("1,", 1000) + "1" + strings.Repeat("]", 9000)
	s := newScreen(func(o *Options) { o.Color = true })
	s.Show(capture.Exchange{Status: 200, Response: capture.Message{Body: []byte(body), Size: int64(len(body))}}, ShowOptions{})
	if s.out.Len() > 40*len(body) {
		t.Errorf("%d bytes of JSON became %d", len(body), s.out.Len())
	}
}

func TestRawIsTheBodyByteForByteWhenNobodyLooks(t *testing.T) {
	e, _ := hook()
	e.Request.Body = []byte(evil)
	s := newScreen(nil)
	s.Show(e, ShowOptions{Raw: true})
	if s.out.String() != evil {
		t.Errorf("got %q", s.out)
	}
	call := apiCall()
	s = newScreen(nil)
	s.Show(call, ShowOptions{Raw: true})
	if !bytes.Equal(s.out.Bytes(), call.Response.Body) {
		t.Errorf("got %q", s.out)
	}
}

func TestPrintIsExactWhenNobodyLooks(t *testing.T) {
	s := newScreen(nil)
	s.Print(evil)
	if s.out.String() != evil {
		t.Errorf("got %q", s.out)
	}
}

func TestColourIsDecidedByTerminalAndEnvironment(t *testing.T) { // K04
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if coloured, width := Decide(file, nil, false); coloured || width != 0 {
		t.Errorf("a file: colour %v, width %d", coloured, width)
	}
	if coloured, width := Decide(nil, nil, false); coloured || width != 0 {
		t.Errorf("nothing: colour %v, width %d", coloured, width)
	}
	for _, c := range []struct {
		env     string
		noColor bool
		want    bool
	}{
		{"TERM=xterm-256color", false, true},
		{"TERM=xterm-256color", true, false},
		{"TERM=dumb", false, false},
		{"NO_COLOR=1", false, false},
		{"NO_COLOR=", false, true}, // set, and empty: no-color.org
	} {
		if got := wantsColour([]string{c.env}, c.noColor); got != c.want {
			t.Errorf("%s, --no-color %v: colour %v", c.env, c.noColor, got)
		}
	}
}

func TestMarksNeedAUTF8Locale(t *testing.T) {
	for _, c := range []struct {
		env  []string
		want bool
	}{
		{nil, true},
		{[]string{"LANG=en_GB.UTF-8"}, true},
		{[]string{"LANG=C"}, false},
		{[]string{"LC_ALL=C", "LANG=en_GB.UTF-8"}, false},
		{[]string{"LC_ALL=", "LC_CTYPE=de_DE.utf8", "LANG=C"}, true},
	} {
		if got := UTF8(c.env); got != c.want {
			t.Errorf("%q: %v", c.env, got)
		}
	}
}

func TestExplainSaysTheErrorThenEveryHint(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"nothing", nil, ""},
		{"no hint", errors.New("opening the tunnel: refused"), "bcdev: opening the tunnel: refused\n"},
		{"a hint", helpful{"no", "do this"}, "bcdev: no\nbcdev: hint: do this\n"},
		{"a hint further in", wrapped{helpful{"no", "do this"}}, "bcdev: up: no\nbcdev: hint: do this\n"},
		{"several errors", errors.Join(helpful{"a", "do a"}, errors.New("b"), helpful{"c", "do c"}), "bcdev: a\nbcdev: b\nbcdev: c\nbcdev: hint: do a\nbcdev: hint: do c\n"},
	} {
		var b bytes.Buffer
		Explain(&b, c.err, false)
		if b.String() != c.want {
			t.Errorf("%s: got %q, want %q", c.name, b.String(), c.want)
		}
	}
}

type wrapped struct{ err error }

func (w wrapped) Error() string { return "up: " + w.err.Error() }
func (w wrapped) Unwrap() error { return w.err }

func FuzzJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,{"b":null}],"c":"x\"y"}`, `[]`, `"\u202e"`, ` 1.5e10 `, `{"a":{}}`, "[[[[1]]]]"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s := newScreen(nil).sheet()
		if s.json(2, text) != json.Valid(bytes.TrimSpace(text)) {
			t.Fatalf("valid JSON: %v", json.Valid(text))
		}
		var want, got bytes.Buffer
		if json.Compact(&want, bytes.TrimSpace(text)) != nil || escape(want.String()) != want.String() {
			return
		}
		if err := json.Compact(&got, []byte(s.b.String())); err != nil || got.String() != want.String() {
			t.Errorf("%q became %q (%v)", text, s.b.String(), err)
		}
	})
}
