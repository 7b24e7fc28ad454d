package deliver

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"bcdev/capture"
)

// Bounds of a diff.
const (
	diffInput   = 1 << 20 // bytes of one side
	diffLines   = 1000    // lines of one side that are compared one by one
	diffOutput  = 200     // lines shown
	diffLine    = 500     // bytes shown of a line
	diffContext = 3       // equal lines shown around a change
)

// Diff shows what changed between the bodies of two answers, as a unified diff of JSON or text; ""
// when nothing did.
func Diff(before, now capture.Exchange) string { return diffAnswers(before, now) }

// diffAnswers compares the bodies of two answers, JSON by JSON and text by text; "" when they
// are the same.
func diffAnswers(before, now capture.Exchange) string {
	if before.Response.SHA256 != "" && before.Response.SHA256 == now.Response.SHA256 {
		return ""
	}
	a, okA := readable(before.Response)
	b, okB := readable(now.Response)
	if !okA || !okB {
		return fmt.Sprintf("the bodies differ: %d bytes before, %d bytes now\n", before.Response.Size, now.Response.Size)
	}
	return unified(a, b)
}

// readable turns a body into lines of text: JSON is indented, gzip unpacked, both bounded.
func readable(m capture.Message) ([]string, bool) {
	body := m.Body
	switch strings.ToLower(m.Header.Get("Content-Encoding")) {
	case "", "identity":
	case "gzip":
		zr, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, false
		}
		body, err = io.ReadAll(io.LimitReader(zr, diffInput))
		if err != nil && len(body) == 0 {
			return nil, false
		}
	default:
		return nil, false
	}
	body = body[:min(len(body), diffInput)]
	var indented bytes.Buffer
	if json.Indent(&indented, body, "", "  ") == nil {
		body = indented.Bytes()
	}
	if !utf8.Valid(body) {
		return nil, false
	}
	return strings.Split(strings.TrimSuffix(string(body), "\n"), "\n"), true
}

// edit is one line of a diff: ' ' both, '-' only before, '+' only now.
type edit struct {
	op   byte
	line string
}

// unified compares lines and writes the changes with a few lines around them.
func unified(a, b []string) string {
	edits := compare(a, b)
	var out strings.Builder
	written := 0
	oldLine, newLine := 1, 1
	for i := 0; i < len(edits); {
		if edits[i].op == ' ' {
			i, oldLine, newLine = i+1, oldLine+1, newLine+1
			continue
		}
		start := max(0, i-diffContext)
		end := hunkEnd(edits, i)
		oldLine, newLine = oldLine-(i-start), newLine-(i-start)
		olds, news := count(edits[start:end])
		fmt.Fprintf(&out, "@@ -%d,%d +%d,%d @@\n", oldLine, olds, newLine, news)
		for _, e := range edits[start:end] {
			if written++; written > diffOutput {
				out.WriteString("… and more\n")
				return out.String()
			}
			fmt.Fprintf(&out, "%c%s\n", e.op, clip(e.line))
		}
		oldLine, newLine, i = oldLine+olds, newLine+news, end
	}
	return out.String()
}

// hunkEnd is where the changes around edits[i] end, with their context.
func hunkEnd(edits []edit, i int) int {
	last := i
	for j := i; j < len(edits) && j <= last+2*diffContext; j++ {
		if edits[j].op != ' ' {
			last = j
		}
	}
	return min(len(edits), last+diffContext+1)
}

func count(edits []edit) (olds, news int) {
	for _, e := range edits {
		if e.op != '+' {
			olds++
		}
		if e.op != '-' {
			news++
		}
	}
	return olds, news
}

func clip(line string) string {
	if len(line) <= diffLine {
		return line
	}
	return strings.ToValidUTF8(line[:diffLine], "") + "…"
}

// compare finds the longest common run of lines. What is equal at both ends is set aside first;
// when too much is left in between, it counts as changed as a whole.
func compare(a, b []string) []edit {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	var edits []edit
	for _, line := range a[:head] {
		edits = append(edits, edit{' ', line})
	}
	edits = append(edits, middle(a[head:len(a)-tail], b[head:len(b)-tail])...)
	for _, line := range a[len(a)-tail:] {
		edits = append(edits, edit{' ', line})
	}
	return edits
}

func middle(a, b []string) []edit {
	if len(a) > diffLines || len(b) > diffLines {
		a, b = a[:min(len(a), diffLines)], b[:min(len(b), diffLines)]
		return append(all('-', a), all('+', b)...)
	}
	// common[i][j] is the length of the longest common subsequence of a[i:] and b[j:].
	common := make([][]uint16, len(a)+1)
	for i := range common {
		common[i] = make([]uint16, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var edits []edit
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			edits = append(edits, edit{' ', a[i]})
			i, j = i+1, j+1
		case common[i+1][j] >= common[i][j+1]:
			edits = append(edits, edit{'-', a[i]})
			i++
		default:
			edits = append(edits, edit{'+', b[j]})
			j++
		}
	}
	return append(append(edits, all('-', a[i:])...), all('+', b[j:])...)
}

func all(op byte, lines []string) []edit {
	edits := make([]edit, 0, len(lines))
	for _, line := range lines {
		edits = append(edits, edit{op, line})
	}
	return edits
}
