package deliver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"bcdev/capture"
)

// Bounds of a diff.
const (
	diffInput   = 1 << 20 // bytes of one side
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

// readable turns a body into lines of text: JSON is indented, what was packed is unpacked, both bounded.
func readable(m capture.Message) ([]string, bool) {
	body, _, err := m.Decoded(diffInput)
	if err != nil {
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

// unified compares lines and writes the changes with a few lines around them.
func unified(a, b []string) string {
	edits := capture.CompareLines(a, b)
	var out strings.Builder
	written := 0
	oldLine, newLine := 1, 1
	for i := 0; i < len(edits); {
		if edits[i].Op == ' ' {
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
			fmt.Fprintf(&out, "%c%s\n", e.Op, clip(e.Line))
		}
		oldLine, newLine, i = oldLine+olds, newLine+news, end
	}
	return out.String()
}

// hunkEnd is where the changes around edits[i] end, with their context.
func hunkEnd(edits []capture.LineEdit, i int) int {
	last := i
	for j := i; j < len(edits) && j <= last+2*diffContext; j++ {
		if edits[j].Op != ' ' {
			last = j
		}
	}
	return min(len(edits), last+diffContext+1)
}

func count(edits []capture.LineEdit) (olds, news int) {
	for _, e := range edits {
		if e.Op != '+' {
			olds++
		}
		if e.Op != '-' {
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
