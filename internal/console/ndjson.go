package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// A field is one member of an NDJSON line; lines keep the order they are written in.
type field struct {
	name  string
	value any
}

// JSONLine writes one NDJSON line: "v", "event", then the members of fields, which is a struct,
// a map, or nil. Without JSON it writes nothing.
func (c *Console) JSONLine(event string, fields any) {
	if !c.o.JSON {
		return
	}
	body, err := encode(fields)
	if err != nil {
		c.Notef("the %s event could not be written as JSON: %v", event, err)
		return
	}
	c.writeLine(event, body)
}

// event writes one NDJSON line with members in the given order. It reports whether the console
// speaks JSON at all, so that callers can go on in words.
func (c *Console) event(name string, members ...field) bool {
	if !c.o.JSON {
		return false
	}
	body, err := object(members)
	if err != nil {
		c.Notef("the %s event could not be written as JSON: %v", name, err)
		return true
	}
	c.writeLine(name, body)
	return true
}

func (c *Console) writeLine(event string, body []byte) {
	line := append(make([]byte, 0, len(body)+64), `{"v":1,"event":`...)
	line = appendText(line, event)
	if inner := bytes.TrimSpace(body); len(inner) > 2 && inner[0] == '{' {
		line = append(append(line, ','), inner[1:]...)
	} else {
		line = append(line, '}')
	}
	c.write(string(append(line, '\n')))
}

func object(members []field) ([]byte, error) {
	out := append(make([]byte, 0, 512), '{')
	for i, m := range members {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendText(out, m.name)
		var err error
		if out, err = appendJSON(append(out, ':'), m.value); err != nil {
			return nil, fmt.Errorf("encoding %q: %w", m.name, err)
		}
	}
	return append(out, '}'), nil
}

// encode is JSON on one line, with what a terminal would obey (DEL, C1 controls, the marks that
// turn text around or hide it) written as \u escapes: the same JSON, and safe to look at.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return visible(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}

// appendJSON is encode, without its cost for the values that most lines are made of: a busy door
// writes thousands of lines a second.
func appendJSON(out []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case int:
		return strconv.AppendInt(out, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(out, v, 10), nil
	case string:
		return appendText(out, v), nil
	}
	text, err := encode(v)
	return append(out, text...), err
}

func appendText(out []byte, s string) []byte {
	if simple(s) {
		return append(append(append(out, '"'), s...), '"')
	}
	text, _ := encode(s) // a string always has a JSON form
	return append(out, text...)
}

// simple reports whether a text stands in JSON, and on a terminal, as it is.
func simple(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func visible(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch char := string(r); {
		case r < 0x7f || n > 1 && escape(char) == char:
			out = append(out, text[:n]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		text = text[n:]
	}
	return out
}

// ordered is a JSON object whose members keep their order.
type ordered []field

// MarshalJSON implements [json.Marshaler].
func (o ordered) MarshalJSON() ([]byte, error) { return object(o) }

// list is a slice that is never null.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
