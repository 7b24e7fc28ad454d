package console

import (
	"strings"
	"unicode"

	"github.com/fatih/color"

	"bcdev/internal/redact"
)

// An ink says what a piece of text is; the palette says how that looks.
type ink int

const (
	plain ink = iota
	faint
	strong
	good
	warn
	bad
	link  // addresses
	key   // names of things: JSON keys, headers
	value // JSON strings
	digit // JSON numbers and literals
)

// inks is the palette. Each colour is switched on or off by itself: the library's own global
// switch looks at the process's standard output, which is not where everybody writes.
type inks map[ink]*color.Color

func newInks(on bool) inks {
	if !on {
		return nil
	}
	p := inks{
		faint:  color.New(color.Faint),
		strong: color.New(color.Bold),
		good:   color.New(color.FgGreen),
		warn:   color.New(color.FgYellow),
		bad:    color.New(color.FgRed),
		link:   color.New(color.FgCyan),
		key:    color.New(color.FgHiBlue),
		value:  color.New(color.FgGreen),
		digit:  color.New(color.FgMagenta),
	}
	for _, c := range p {
		c.EnableColor()
	}
	return p
}

func (p inks) paint(i ink, text string) string {
	if c := p[i]; c != nil && text != "" {
		return c.Sprint(text)
	}
	return text
}

// A sheet is the text of one event. All text passes through put, which escapes it; line ends
// are the sheet's own.
type sheet struct {
	b     strings.Builder
	inks  inks
	ascii bool
	width int
	col   int // cells written on the current line
	at    int // column where facts have their name
	val   int // column where facts have their value
}

// put escapes text and writes it in ink.
func (s *sheet) put(i ink, text string) *sheet {
	text = escape(text)
	if s.ascii {
		text = strings.ReplaceAll(text, redact.Mask, "****")
	}
	s.col += cells(text)
	s.b.WriteString(s.inks.paint(i, text))
	return s
}

// pad writes spaces up to column n, and at least one when the line is not empty.
func (s *sheet) pad(n int) *sheet {
	gap := n - s.col
	if gap < 1 && s.col > 0 {
		gap = 1
	}
	if gap > 0 {
		s.b.WriteString(strings.Repeat(" ", gap))
		s.col += gap
	}
	return s
}

func (s *sheet) line() *sheet {
	s.b.WriteByte('\n')
	s.col = 0
	return s
}

// wrap writes prose from column left on, breaking it between words where the terminal ends.
func (s *sheet) wrap(i ink, left int, text string) *sheet {
	for n, word := range strings.Fields(text) {
		switch {
		case n == 0:
		case s.width > 0 && s.col+1+cells(escape(word)) > s.width && s.col > left:
			s.line().pad(left)
		default:
			s.put(i, " ")
		}
		s.put(i, word)
	}
	return s
}

// mark returns our own sign, or its ASCII stand-in.
func (s *sheet) mark(sign string) string {
	if !s.ascii {
		return sign
	}
	switch sign {
	case "▲":
		return "^"
	case "▼":
		return "v"
	case "◀":
		return "<"
	case "▶":
		return ">"
	case "✔":
		return "ok"
	case "✘":
		return "no"
	case "●", "·", "→", "−", "…":
		return map[string]string{"●": "*", "·": "-", "→": "->", "−": "-", "…": "..."}[sign]
	}
	return sign
}

// cells counts the columns that text takes on a terminal: none for combining marks, two for the
// wide scripts and emoji.
func cells(text string) int {
	n := 0
	for _, r := range text {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case r >= 0x1100 && wide(r):
			n += 2
		default:
			n++
		}
	}
	return n
}

func wide(r rune) bool {
	return r <= 0x115f || r >= 0x2e80 && r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 ||
		r >= 0xf900 && r <= 0xfaff || r >= 0xfe30 && r <= 0xfe6f || r >= 0xff00 && r <= 0xff60 ||
		r >= 0xffe0 && r <= 0xffe6 || r >= 0x1f300 && r <= 0x1faff || r >= 0x20000 && r <= 0x3fffd
}

// fit shortens text to what is left of the line, and to nothing where that would say nothing.
func (s *sheet) fit(text string) string {
	const least = 8
	room := s.width - s.col
	switch {
	case s.width <= 0:
		return text
	case room < least:
		return ""
	}
	return s.cut(escape(text), room)
}

// cut shortens text to n cells, the last of them an ellipsis. It does not escape.
func (s *sheet) cut(text string, n int) string {
	if n <= 0 || cells(text) <= n {
		return text
	}
	end := s.mark("…")
	room, out := n-cells(end), strings.Builder{}
	for _, r := range text {
		room -= cells(string(r))
		if room < 0 {
			break
		}
		out.WriteRune(r)
	}
	if n < cells(end) {
		return end[:n]
	}
	return out.String() + end
}
