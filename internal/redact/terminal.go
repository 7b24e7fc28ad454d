package redact

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Terminal returns s so that printing it moves no cursor and hides nothing: control characters
// (C0, DEL, C1), line breaks and tabs, marks that change direction or have no width, and bytes
// that are not UTF-8 become visible: ESC is shown as \x1b, U+202E as \u202e, a line feed as \n.
// It does not escape the backslash, for the sake of people who read JSON.
func Terminal(s string) string { return escape(s, false) }

// TerminalText is [Terminal] for text of several lines: line feeds and tabs stay. A carriage
// return before a line feed is dropped.
func TerminalText(s string) string {
	return escape(strings.ReplaceAll(s, "\r\n", "\n"), true)
}

func escape(s string, lines bool) string {
	hidden := func(r rune) bool {
		if lines && (r == '\n' || r == '\t') {
			return false
		}
		return hides(r)
	}
	if utf8.ValidString(s) && strings.IndexFunc(s, hidden) < 0 {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, `\x%02x`, s[i])
		case hidden(r):
			out.WriteString(visible(r))
		default:
			out.WriteString(s[i : i+size])
		}
		i += size
	}
	return out.String()
}

// hides reports whether a terminal would act on r, or show nothing for it.
func hides(r rune) bool {
	if r < 0x7f {
		return r < 0x20
	}
	switch {
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Cs, unicode.Co):
		return true
	case r == 0x034f, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5, r == 0x3164, r == 0xffa0:
		return true // joiners and fillers that show nothing
	case r >= 0xe0000 && r <= 0xe0fff:
		return true // tags and variation selectors, which can carry a hidden text
	}
	return false
}

func visible(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r < 0x80:
		return fmt.Sprintf(`\x%02x`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	default:
		return fmt.Sprintf(`\U%08x`, r)
	}
}
