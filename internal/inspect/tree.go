package inspect

import (
	"bytes"
	"encoding/json"
	"errors"
	"html"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"

	"bcdev/internal/redact"
)

// Bounds of a tree. What is beyond them is in the raw bytes.
const (
	treeNodes  = 3000
	treeDepth  = 64
	treeOpen   = 2    // levels that are open at first; one more of a small document
	treeSmall  = 8000 // bytes
	treeTiny   = 1000 // bytes of a document that is open as a whole
	treeString = 4000 // bytes shown of one string
)

// tree writes JSON as nested <details>. It reads token by token: numbers stay as they are written,
// keys keep their order, and a document that was cut off is shown as far as it goes. It is one of
// two places that make HTML by hand, for the sake of speed; every text passes through put.
type tree struct {
	d      *json.Decoder
	b      strings.Builder
	nodes  int
	note   string
	counts []count
	open   int
}

// count is how many members a group has, and where that is to be written.
type count struct {
	at   int
	html string
}

var errTreeFull = errors.New("more than is shown here")

// jsonTree returns the tree, and a note when it is not the whole document.
func jsonTree(doc []byte) (template.HTML, string) {
	t := &tree{d: json.NewDecoder(bytes.NewReader(doc)), open: treeOpen}
	switch {
	case len(doc) < treeTiny:
		t.open = treeDepth
	case len(doc) < treeSmall:
		t.open++
	}
	t.d.UseNumber()
	t.b.WriteString(`<div class="tree">`)
	err := t.value("", "", 0)
	if err == nil {
		if _, more := t.d.Token(); !errors.Is(more, io.EOF) {
			t.note = "more follows behind the first value"
		}
	}
	switch {
	case err == nil:
	case errors.Is(err, errTreeFull):
		t.note = "the tree shows the first " + strconv.Itoa(treeNodes) + " values; the raw bytes have all"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		t.note = "the document breaks off here"
	default:
		t.note = "not valid JSON from here on: " + redact.Terminal(err.Error())
	}
	t.b.WriteString(`</div>`)
	return template.HTML(t.whole()), t.note // every text in it passed through put
}

func (t *tree) put(class, text string) {
	t.b.WriteString(`<span class="`)
	t.b.WriteString(class)
	t.b.WriteString(`">`)
	t.b.WriteString(html.EscapeString(redact.Terminal(text)))
	t.b.WriteString(`</span>`)
}

// value writes the next value of the document, under its key or index.
func (t *tree) value(class, key string, depth int) error {
	tok, err := t.d.Token()
	if err != nil {
		return err
	}
	if t.nodes++; t.nodes > treeNodes || depth > treeDepth {
		return errTreeFull
	}
	if open, ok := tok.(json.Delim); ok {
		return t.group(open, class, key, depth)
	}
	t.b.WriteString(`<div class="leaf">`)
	t.key(class, key)
	t.scalar(tok)
	t.b.WriteString(`</div>`)
	return nil
}

func (t *tree) key(class, key string) {
	if class != "" {
		t.put(class, key)
		t.b.WriteString(`<span class="p">: </span>`)
	}
}

func (t *tree) scalar(tok json.Token) {
	switch v := tok.(type) {
	case string:
		t.put("s", `"`+clipText(escapeQuotes(v), treeString)+`"`)
	case json.Number:
		t.put("n", clipText(v.String(), treeString))
	case bool:
		t.put("l", strconv.FormatBool(v))
	default:
		t.put("l", "null")
	}
}

// escapeQuotes writes a string as JSON would, as far as people need it.
func escapeQuotes(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)
}

// group writes an object or array. It closes its tags also when the document breaks off.
func (t *tree) group(open json.Delim, class, key string, depth int) error {
	if !t.d.More() {
		t.b.WriteString(`<div class="leaf">`)
		t.key(class, key)
		t.put("p", map[json.Delim]string{'{': "{}", '[': "[]"}[open])
		t.b.WriteString(`</div>`)
		_, err := t.d.Token()
		return err
	}
	t.b.WriteString(`<details`)
	if depth < t.open {
		t.b.WriteString(` open`)
	}
	t.b.WriteString(`><summary>`)
	t.key(class, key)
	start := t.b.Len()
	t.b.WriteString(`</summary><div class="in">`)
	n, err := t.members(open, depth)
	t.b.WriteString(`</div></details>`)
	t.count(start, open, n, err)
	return err
}

// count notes the number of members for the summary that was written before they were known.
func (t *tree) count(at int, open json.Delim, n int, err error) {
	words := strconv.Itoa(n) + " item"
	if open == '{' {
		words = strconv.Itoa(n) + " field"
	}
	if n != 1 {
		words += "s"
	}
	if err != nil {
		words = "…"
	}
	t.counts = append(t.counts, count{at, `<span class="c">` + words + `</span>`})
}

// whole is the tree with its counts where they belong.
func (t *tree) whole() string {
	slices.SortFunc(t.counts, func(a, b count) int { return a.at - b.at })
	var b strings.Builder
	text, from := t.b.String(), 0
	for _, c := range t.counts {
		b.WriteString(text[from:c.at] + c.html)
		from = c.at
	}
	b.WriteString(text[from:])
	return b.String()
}

func (t *tree) members(open json.Delim, depth int) (n int, err error) {
	for t.d.More() {
		class, key := "i", strconv.Itoa(n)
		if open == '{' {
			tok, err := t.d.Token()
			if err != nil {
				return n, err
			}
			name, _ := tok.(string)
			class, key = "k", clipText(name, treeString)
		}
		if err := t.value(class, key, depth+1); err != nil {
			return n, err
		}
		n++
	}
	_, err = t.d.Token()
	return n, err
}
