package export

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"bcdev/internal/redact"
)

// quoteShell quotes for a POSIX shell. Within single quotes nothing has a meaning but the quote
// (POSIX.1, Shell Command Language, 2.2.2). NUL cannot be an argument and must not come here.
func quoteShell(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// shellWord is text as one shell word. What a terminal would not show as it is goes through
// printf, whose octal escapes every shell has.
func shellWord(text string) string {
	if legible(text) {
		return quoteShell(text)
	}
	return `"$(printf ` + printfFormat([]byte(text)) + `)"`
}

// printfFormat is a quoted printf(1) format that prints data byte for byte.
func printfFormat(data []byte) string {
	var b strings.Builder
	b.WriteByte('\'')
	for _, c := range data {
		switch {
		case c == '%':
			b.WriteString("%%")
		case c == '\'' || c == '\\' || c < ' ' || c >= 0x7f:
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// quotePowerShell is an expression that gives text. Within single quotes only the quote has a
// meaning, but PowerShell takes the typographic ones for quotes too, so all that is not plain
// ASCII is carried as base64.
func quotePowerShell(text string) string {
	for i := range len(text) {
		if c := text[i]; c < ' ' && c != '\n' || c >= 0x7f {
			return "[Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('" + base64.StdEncoding.EncodeToString([]byte(text)) + "'))"
		}
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

// quotePHP is a double-quoted PHP string: backslash, dollar and quote are escaped, bytes that do
// not show are \xHH.
func quotePHP(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		char := text[:n]
		switch {
		case char == `\` || char == "$" || char == `"`:
			b.WriteString(`\` + char)
		case char == "\n":
			b.WriteString(`\n`)
		case r != utf8.RuneError && redact.Terminal(char) == char:
			b.WriteString(char)
		default:
			for i := range n {
				fmt.Fprintf(&b, `\x%02X`, char[i])
			}
		}
		text = text[n:]
	}
	b.WriteByte('"')
	return b.String()
}

// quoteJS is a JavaScript string of ASCII letters only. JSON would nearly do, but leaves the line
// separators and what hides on a terminal.
func quoteJS(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r >= ' ' && r < 0x7f:
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// latin1 reads bytes as ISO 8859-1, which is how JavaScript puts header values on the wire
// (Fetch Standard, "isomorphic encode").
func latin1(text string) string {
	var b strings.Builder
	for i := range len(text) {
		b.WriteRune(rune(text[i]))
	}
	return b.String()
}
