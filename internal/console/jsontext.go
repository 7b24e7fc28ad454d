package console

import (
	"bytes"
	"encoding/json"
)

// maxIndent is the depth below which JSON is written on one line. It bounds what a small body
// of ten thousand brackets becomes.
const maxIndent = 24

// json writes a JSON text with line ends and colours. It works on the bytes as they came, so
// the order of keys, duplicate keys, long numbers and the spelling of strings are kept. It
// reports false, and writes nothing, when text is not JSON.
func (s *sheet) json(left int, text []byte) bool {
	text = bytes.TrimSpace(text)
	if len(text) == 0 || !json.Valid(text) {
		return false
	}
	w := jsonWriter{s: s, left: left}
	s.pad(left)
	for len(text) > 0 {
		n := tokenLength(text)
		w.token(text[:n])
		text = bytes.TrimLeft(text[n:], " \t\r\n")
		w.isKey = false
		if len(text) > 0 && text[0] == ':' {
			s.put(plain, ": ")
			text = bytes.TrimLeft(text[1:], " \t\r\n")
		}
		w.isKey = w.nextIsKey(text)
	}
	s.line()
	return true
}

type jsonWriter struct {
	s     *sheet
	left  int
	depth int
	empty bool // the last token opened something
	isKey bool // the next token is a member's name
}

// nextIsKey looks ahead: a string that a colon follows is a name.
func (w *jsonWriter) nextIsKey(text []byte) bool {
	if len(text) == 0 || text[0] != '"' {
		return false
	}
	rest := bytes.TrimLeft(text[tokenLength(text):], " \t\r\n")
	return len(rest) > 0 && rest[0] == ':'
}

func (w *jsonWriter) token(t []byte) {
	closing := t[0] == '}' || t[0] == ']'
	if w.empty && !closing {
		w.breakLine()
	}
	opened := w.empty
	w.empty = false
	switch t[0] {
	case '{', '[':
		w.s.put(plain, string(t))
		w.depth++
		w.empty = true
	case '}', ']':
		if opened {
			w.depth--
		} else {
			w.breakLineAt(w.depth - 1)
			w.depth--
		}
		w.s.put(plain, string(t))
	case ',':
		w.s.put(plain, ",")
		w.breakLine()
	case '"':
		w.s.put(map[bool]ink{true: key, false: value}[w.isKey], string(t))
	default:
		w.s.put(digit, string(t))
	}
}

func (w *jsonWriter) breakLine() { w.breakLineAt(w.depth) }

func (w *jsonWriter) breakLineAt(depth int) {
	if w.depth > maxIndent {
		w.s.put(plain, " ")
		return
	}
	w.s.line().pad(w.left + 2*depth)
}

// tokenLength is the length of the token that valid JSON text begins with.
func tokenLength(text []byte) int {
	switch text[0] {
	case '{', '}', '[', ']', ',', ':':
		return 1
	case '"':
		for i := 1; i < len(text); i++ {
			switch text[i] {
			case '\\':
				i++
			case '"':
				return i + 1
			}
		}
		return len(text)
	}
	if i := bytes.IndexAny(text, ",]} \t\r\n"); i > 0 {
		return i
	}
	return len(text)
}
