package inspect

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"strings"

	"bcdev/capture"
	"bcdev/internal/redact"
)

// Bounds of what is shown of a body, in bytes.
const (
	textShown  = 256 << 10
	hexShown   = 4 << 10
	imageShown = 1 << 20
	rawShown   = 64 << 10
)

// pair is a name with its value.
type pair struct{ Name, Value string }

// bodyView is a body as the page shows it.
type bodyView struct {
	Form     string
	Size     string
	Type     string // as it was declared
	Packed   string // what it came packed with
	Notes    []string
	Tree     template.HTML
	Text     string
	Pairs    []pair
	Image    template.URL // a data: URL of a verified picture
	Download string
	SHA256   string
}

func bodyViewOf(e capture.Exchange, side string, m capture.Message) bodyView {
	u := unpack(m)
	v := bodyView{
		Size: sizeWords(m.Size), Type: redact.Terminal(m.Header.Get("Content-Type")), Packed: redact.Terminal(u.encoding), SHA256: m.SHA256,
		Download: fmt.Sprintf("/api/exchanges/%d/body?side=%s", e.ID, side),
	}
	v.Form = formOf(m.Header.Get("Content-Type"), u.body)
	switch {
	case m.Dropped:
		v.Notes = append(v.Notes, "the body was not kept: the recorder had too much to do, or could not look into it")
	case m.Truncated:
		v.Notes = append(v.Notes, fmt.Sprintf("the journal kept the first %s of %s; capture.body_limit sets how much", sizeWords(int64(len(m.Body))), sizeWords(m.Size)))
	case u.cut:
		v.Notes = append(v.Notes, "unpacked it is longer than "+sizeWords(decodeLimit)+"; the rest is not shown")
	}
	if u.err != nil {
		v.Notes = append(v.Notes, "it could not be unpacked: "+redact.Terminal(u.err.Error()))
	}
	v.fill(u.body)
	return v
}

func (v *bodyView) fill(b []byte) {
	switch v.Form {
	case formJSON:
		note := ""
		if v.Tree, note = jsonTree(b); note != "" {
			v.Notes = append(v.Notes, note)
		}
	case formForm:
		v.Pairs = pairsOf(string(b))
	case formXML:
		v.Text = v.text(indentXML(b))
	case formText:
		v.Text = v.text(b)
	case formImage:
		v.image(b)
	case formHex:
		v.Text = hex.Dump(b[:min(len(b), hexShown)])
		if len(b) > hexShown {
			v.Notes = append(v.Notes, "the first "+sizeWords(hexShown)+" are shown; download it for the rest")
		}
	}
}

// text is text for people: what hides or has no width is made visible.
func (v *bodyView) text(b []byte) string {
	if len(b) > textShown {
		v.Notes = append(v.Notes, "the first "+sizeWords(textShown)+" are shown; download it for the rest")
		b = b[:textShown]
	}
	return redact.TerminalText(string(b))
}

// image shows a picture of a format that was recognised by its bytes, whatever its Content-Type
// says, and when it is whole.
func (v *bodyView) image(b []byte) {
	kind := imageType(b)
	if len(b) > imageShown || len(v.Notes) > 0 {
		v.Notes = append(v.Notes, "a picture ("+kind+"); download it to see it")
		return
	}
	v.Image = template.URL("data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(b)) // base64
}

// pairsOf reads a query or form in its order. Names and values that cannot be decoded stay as they
// are.
func pairsOf(raw string) []pair {
	if raw == "" {
		return nil
	}
	const most = 500
	var pairs []pair
	for part := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(part, "=")
		pairs = append(pairs, pair{unescaped(name), unescaped(value)})
		if len(pairs) == most {
			break
		}
	}
	return pairs
}

func unescaped(s string) string {
	s = clipText(s, treeString)
	if plain, err := url.QueryUnescape(s); err == nil {
		s = plain
	}
	return redact.Terminal(s)
}

// indentXML breaks XML into lines. Nothing in it is resolved or fetched: it is cut at its tags and
// written as it was. What is not XML stays as it is.
func indentXML(b []byte) []byte {
	if len(b) > textShown {
		return b
	}
	d := xml.NewDecoder(bytes.NewReader(b))
	d.Strict = false
	var out bytes.Buffer
	depth, start, text := 0, int64(0), false
	for {
		tok, err := d.RawToken()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return bytes.TrimLeft(out.Bytes(), "\n")
			}
			return b
		}
		piece := b[start:d.InputOffset()]
		start = d.InputOffset()
		switch tok.(type) {
		case xml.CharData:
			if t := bytes.TrimSpace(piece); len(t) > 0 {
				out.Write(t)
				text = true
			}
			continue
		case xml.EndElement:
			if len(piece) == 0 {
				continue // <a/> is two tokens
			}
			depth = max(depth-1, 0)
		}
		if _, end := tok.(xml.EndElement); !end || !text {
			out.WriteString("\n" + strings.Repeat("  ", min(depth, 40)))
		}
		out.Write(piece)
		text = false
		if _, begin := tok.(xml.StartElement); begin && !bytes.HasSuffix(piece, []byte("/>")) {
			depth++
		}
	}
}

// rawOf writes a message as it stood on the wire, as far as it was kept, for people. Head are the
// lines before the fields that were kept.
func rawOf(m capture.Message, head ...string) string {
	var b strings.Builder
	for _, line := range head {
		b.WriteString(redact.Terminal(line) + "\n")
	}
	for _, p := range headerPairs(m.Header) {
		b.WriteString(p.Name + ": " + p.Value + "\n")
	}
	b.WriteString("\n")
	body := m.Body[:min(len(m.Body), rawShown)]
	if readable(body) || m.Header.Get("Content-Encoding") == "" && len(body) == 0 {
		b.WriteString(redact.TerminalText(string(body)))
	} else {
		b.WriteString(hex.Dump(body[:min(len(body), hexShown)]))
	}
	if len(m.Body) > rawShown {
		b.WriteString("\n… and more: download the body\n")
	}
	return b.String()
}

// headerPairs are the fields of a header, by name, the values of one name in their order.
func headerPairs(h http.Header) []pair {
	var pairs []pair
	shown := redact.Header(h)
	for _, name := range sortedKeys(shown) {
		for _, value := range shown[name] {
			pairs = append(pairs, pair{redact.Terminal(clipText(name, longestCell)), redact.Terminal(clipText(value, treeString))})
		}
	}
	return pairs
}

// serveBody hands a body out as a file. It never opens in the browser: the type is always the
// same, and so is the name's ending.
func (w *window) serveBody(rw http.ResponseWriter, r *http.Request) {
	e, err := w.get(r, "id")
	if err != nil {
		fail(rw, r, err)
		return
	}
	m, side := e.Request, "request"
	if r.URL.Query().Get("side") == "response" {
		m, side = e.Response, "response"
	}
	body := m.Body
	if r.URL.Query().Get("unpacked") != "" {
		body = unpack(m).body
	}
	attach(rw, fmt.Sprintf("exchange-%d-%s.bin", e.ID, side), "application/octet-stream", body)
}

// attach answers with a file to save.
func attach(rw http.ResponseWriter, name, kind string, content []byte) {
	h := rw.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	_, _ = rw.Write(content)
}
