package inspect

import (
	"encoding/json"
	"html"
	"regexp"
	"strings"
	"testing"

	"bcdev/capture"
)

var tags = regexp.MustCompile(`<[^>]*>`)

func plainText(h string) string { return html.UnescapeString(tags.ReplaceAllString(h, " ")) }

func TestATreeKeepsNumbersAndOrderAsTheyAreWritten(t *testing.T) {
	tree, note := jsonTree([]byte(`{"zebra":12345678901234567890123.10,"apple":[1.0,-0,1E400,{}],"zebra":"again \"q\" <b>","n":null,"t":true,"e":[]}`))
	if note != "" {
		t.Errorf("note %q", note)
	}
	got := strings.Join(strings.Fields(plainText(string(tree))), " ")
	want := `6 fields zebra : 12345678901234567890123.10 apple : 4 items 0 : 1.0 1 : -0 2 : 1E400 3 : {} zebra : "again \"q\" <b>" n : null t : true e : []`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestATreeOfABrokenDocumentShowsWhatIsThere(t *testing.T) {
	for doc, want := range map[string]string{
		`{"a":1,"b":[2,`:           "the document breaks off here",
		`{"a":1} {"b":2}`:          "more follows behind the first value",
		`{"a":1,"b":oops}`:         "not valid JSON from here on",
		strings.Repeat("[", 10000): "the tree shows the first",
	} {
		tree, note := jsonTree([]byte(doc))
		if !strings.Contains(note, want) {
			t.Errorf("%.20s: note %q", doc, note)
		}
		text := string(tree)
		if strings.Count(text, "<div") != strings.Count(text, "</div>") || strings.Count(text, "<details") != strings.Count(text, "</details>") {
			t.Errorf("%.20s: its tags are not closed", doc)
		}
	}
}

func TestXMLIsBrokenIntoLinesAndNothingElse(t *testing.T) {
	got := string(indentXML([]byte(`<?xml version="1.0"?><a x="1&amp;2"><b/><c>text &lt;</c><!-- note --></a>`)))
	want := `<?xml version="1.0"?>
<a x="1&amp;2">
  <b/>
  <c>text &lt;</c>
  <!-- note -->
</a>`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func FuzzBody(f *testing.F) {
	for _, s := range []string{`{"a":[1,{"b":null}]}`, "<a><b>c</b></a>", "a=b&c", "\x00\xff", `{"a`, "[[[[", "<", "GIF89a"} {
		f.Add(s, "application/json")
		f.Add(s, "text/xml")
	}
	f.Fuzz(func(t *testing.T, body, kind string) {
		m := capture.Message{Header: map[string][]string{"Content-Type": {kind}}, Body: []byte(body), Size: int64(len(body))}
		v := bodyViewOf(capture.Exchange{ID: 1}, "request", m)
		if strings.Contains(string(v.Tree), "<script") || strings.ContainsAny(v.Text, "\x00\x1b\u202e") {
			t.Errorf("%q is shown as it came", body)
		}
		if strings.Count(string(v.Tree), "<div") != strings.Count(string(v.Tree), "</div>") {
			t.Errorf("%q: the tree is not closed", body)
		}
		_ = diffOf(capture.Exchange{Request: m}, capture.Exchange{Response: m})
	})
}

func TestADiffShowsWhatDiffersAndNothingElse(t *testing.T) {
	w := newWorld(t)
	a, b := call("abc123xyz", "/v3/x", 200), call("abc123xyz", "/v3/x", 500)
	a.Response.Body = []byte(`{"keep":12345678901234567890,"old":1,"list":[1,2,3]}`)
	b.Response.Body = []byte(`{"keep":12345678901234567890,"new":2,"list":[1,2,3]}`)
	b.Response.Header.Set("X-Request-Id", "7")
	w.add(a)
	w.add(b)
	var d Diff
	if err := json.Unmarshal([]byte(w.get("/api/exchanges/1/diff/2").text), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Facts) != 1 || d.Facts[0] != (Change{"status", "200", "500"}) || d.Same {
		t.Errorf("facts: %+v", d.Facts)
	}
	if len(d.Response.Headers) != 1 || d.Response.Headers[0] != (Change{"X-Request-Id", "", "7"}) {
		t.Errorf("headers: %+v", d.Response.Headers)
	}
	var gone, added []string
	for _, l := range d.Response.Body {
		switch l.Op {
		case "-":
			gone = append(gone, strings.TrimSpace(l.Text))
		case "+":
			added = append(added, strings.TrimSpace(l.Text))
		}
	}
	if strings.Join(gone, "") != `"old": 1,` || strings.Join(added, "") != `"new": 2,` {
		t.Errorf("body: gone %q, new %q", gone, added)
	}
	if err := json.Unmarshal([]byte(w.get("/api/exchanges/1/diff/1").text), &d); err != nil || !d.Same {
		t.Errorf("an exchange differs from itself: %+v %v", d, err)
	}
}
