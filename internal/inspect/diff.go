package inspect

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"bcdev/capture"
	"bcdev/internal/redact"
)

// Bounds of a comparison.
const (
	diffBytes   = 512 << 10 // of one body
	diffShown   = 600       // lines shown
	diffLine    = 1000      // bytes shown of a line
	diffContext = 3         // equal lines around a change
)

// Diff is what two exchanges differ in.
type Diff struct {
	A        int64    `json:"a"`
	B        int64    `json:"b"`
	Same     bool     `json:"same"`
	Facts    []Change `json:"facts"`    // method, target, status, …
	Request  HalfDiff `json:"request"`  // headers and body
	Response HalfDiff `json:"response"` // headers and body
}

// HalfDiff compares one message of each.
type HalfDiff struct {
	Headers []Change `json:"headers"`
	Body    []Line   `json:"body"` // changed lines with some around them; empty when the bodies are the same
	Note    string   `json:"note,omitempty"`
}

// Change is a value on both sides; the one that is missing is empty.
type Change struct {
	Name string `json:"name"`
	A    string `json:"a"`
	B    string `json:"b"`
}

// Line is one line of a comparison: " " both, "-" only the first, "+" only the second, "@" a gap.
type Line struct {
	Op   string `json:"op"`
	Text string `json:"text"`
}

// Class is how the page shows a line.
func (l Line) Class() string {
	return map[string]string{"-": "gone", "+": "new", "@": "gap"}[l.Op]
}

func diffOf(a, b capture.Exchange) Diff {
	d := Diff{A: a.ID, B: b.ID, Facts: []Change{}}
	statusA, _ := statusOf(a)
	statusB, _ := statusOf(b)
	for _, c := range []Change{
		{"method", a.Method, b.Method}, {"target", maskedTarget(a), maskedTarget(b)}, {"status", statusA, statusB},
		{"kind", string(a.Kind), string(b.Kind)}, {"topic", a.Topic, b.Topic}, {"store", a.Store, b.Store}, {"error", a.Err, b.Err},
	} {
		if c.A != c.B {
			d.Facts = append(d.Facts, Change{c.Name, cell(c.A), cell(c.B)})
		}
	}
	d.Request, d.Response = diffHalf(a.Request, b.Request), diffHalf(a.Response, b.Response)
	d.Same = len(d.Facts)+len(d.Request.Headers)+len(d.Request.Body)+len(d.Response.Headers)+len(d.Response.Body) == 0 &&
		d.Request.Note+d.Response.Note == ""
	return d
}

func diffHalf(a, b capture.Message) HalfDiff {
	h := HalfDiff{Headers: diffHeaders(a.Header, b.Header), Body: []Line{}}
	if a.SHA256 == b.SHA256 && a.Size == b.Size && bytes.Equal(a.Body, b.Body) {
		return h
	}
	h.Body, h.Note = diffBodies(a, b)
	return h
}

func diffHeaders(a, b http.Header) []Change {
	changes := []Change{}
	a, b = redact.Header(a), redact.Header(b)
	names := append(sortedKeys(a), sortedKeys(b)...)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if !slices.Equal(a[name], b[name]) {
			changes = append(changes, Change{cell(name), cell(strings.Join(a[name], ", ")), cell(strings.Join(b[name], ", "))})
		}
	}
	return changes
}

func diffBodies(a, b capture.Message) (lines []Line, note string) {
	first, cutA := linesOf(a)
	second, cutB := linesOf(b)
	lines = hunks(capture.CompareLines(first, second))
	switch {
	case cutA || cutB:
		note = "only the beginnings were compared"
	case len(lines) == 0 && a.SHA256 != b.SHA256:
		note = "they mean the same and are written in another way"
	}
	return lines, note
}

// linesOf makes lines of a body: JSON is indented with its numbers and its order as they are, what
// is no text becomes a dump.
func linesOf(m capture.Message) (lines []string, cut bool) {
	u := unpack(m)
	b := u.body
	if len(b) > diffBytes {
		b, u.cut = b[:diffBytes], true
	}
	if len(b) == 0 {
		return nil, u.cut
	}
	var indented bytes.Buffer
	switch {
	case !readable(b):
		b = []byte(hex.Dump(b[:min(len(b), 4*hexShown)]))
	case shallow(b) && json.Indent(&indented, b, "", "  ") == nil:
		b = indented.Bytes()
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n"), u.cut
}

// shallow reports that indenting b does not make it many times as long.
func shallow(b []byte) bool {
	depth := 0
	for _, c := range b {
		switch c {
		case '{', '[':
			if depth++; depth > treeDepth {
				return false
			}
		case '}', ']':
			depth--
		}
	}
	return true
}

// hunks keeps the changes with a few lines around them, shortened and escaped for people.
func hunks(lines []capture.LineEdit) []Line {
	out := []Line{}
	near := make([]bool, len(lines))
	for i, l := range lines {
		if l.Op == ' ' {
			continue
		}
		for j := max(0, i-diffContext); j <= min(len(lines)-1, i+diffContext); j++ {
			near[j] = true
		}
	}
	for i, l := range lines {
		switch {
		case len(out) >= diffShown:
			return append(out, Line{"@", "… and more"})
		case near[i]:
			out = append(out, Line{string(l.Op), redact.Terminal(clipText(l.Line, diffLine))})
		case len(out) > 0 && out[len(out)-1].Op != "@":
			out = append(out, Line{"@", "…"})
		}
	}
	if len(out) > 0 && out[len(out)-1].Op == "@" {
		out = out[:len(out)-1]
	}
	return out
}

func (w *window) serveDiff(rw http.ResponseWriter, r *http.Request) {
	a, b, err := w.both(r)
	if err != nil {
		fail(rw, r, err)
		return
	}
	writeJSON(rw, http.StatusOK, diffOf(a, b))
}

// both reads the two exchanges of a comparison.
func (w *window) both(r *http.Request) (a, b capture.Exchange, err error) {
	if a, err = w.get(r, "a"); err != nil {
		return a, b, err
	}
	b, err = w.get(r, "b")
	return a, b, err
}
