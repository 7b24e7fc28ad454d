package bigcommerce

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// object is a JSON object that keeps the order of its fields, so that what is changed in it
// leaves the rest as it was.
type object []field

type field struct {
	name  string
	value json.RawMessage
}

func parseObject(raw []byte) (object, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	var o object
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		o = append(o, field{name.(string), value}) // a decoder gives only strings in this place
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	return o, nil
}

func (o object) get(name string) (json.RawMessage, bool) {
	for _, f := range o {
		if f.name == name {
			return f.value, true
		}
	}
	return nil, false
}

func (o object) set(name string, value json.RawMessage) object {
	for i := range o {
		if o[i].name == name {
			o[i].value = value
			return o
		}
	}
	return append(o, field{name, value})
}

func (o object) bytes() []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(encode(f.name))
		b.WriteByte(':')
		b.Write(f.value)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// encode writes JSON as BigCommerce does: compact, and without Go's escapes for HTML.
func encode(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return json.RawMessage("null")
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

const maxDepth = 16

// SetJSON sets the value at a dotted path ("data.id", "items.0.sku") of a JSON document, keeps
// the order of all other fields, and makes objects that are missing. A value that is JSON is
// taken as JSON, anything else as a string; where a string stands, a bare number stays a string.
// An index one past the end of an array appends. Paths have at most 16 parts.
func SetJSON(doc []byte, path, value string) ([]byte, error) {
	parts := strings.Split(path, ".")
	if path == "" || len(parts) > maxDepth {
		return nil, fmt.Errorf("setting %q: a path has 1 to %d parts", oneLine(path, 80), maxDepth)
	}
	out, err := setPath(doc, parts, value)
	if err != nil {
		return nil, fmt.Errorf("setting %s: %w", oneLine(path, 80), err)
	}
	return out, nil
}

func setPath(doc json.RawMessage, parts []string, value string) (json.RawMessage, error) {
	doc = bytes.TrimSpace(doc)
	if len(parts) == 0 {
		return typed(doc, value), nil
	}
	if len(doc) > 0 && doc[0] == '[' {
		return setElement(doc, parts, value)
	}
	if len(doc) == 0 || string(doc) == "null" {
		doc = json.RawMessage("{}")
	}
	o, err := parseObject(doc)
	if err != nil {
		return nil, fmt.Errorf("there is no object to hold %s", oneLine(parts[0], 80))
	}
	old, _ := o.get(parts[0])
	inner, err := setPath(old, parts[1:], value)
	if err != nil {
		return nil, err
	}
	return o.set(parts[0], inner).bytes(), nil
}

func setElement(doc json.RawMessage, parts []string, value string) (json.RawMessage, error) {
	var items []json.RawMessage
	if err := json.Unmarshal(doc, &items); err != nil {
		return nil, fmt.Errorf("the list is not valid JSON: %w", err)
	}
	i, err := strconv.Atoi(parts[0])
	if err != nil || i < 0 || i > len(items) {
		return nil, fmt.Errorf("the list has %d items, and %s is none of them", len(items), oneLine(parts[0], 80))
	}
	if i == len(items) {
		items = append(items, nil)
	}
	if items[i], err = setPath(items[i], parts[1:], value); err != nil {
		return nil, err
	}
	return encode(items), nil
}

// typed turns what a person wrote into JSON.
func typed(old json.RawMessage, value string) json.RawMessage {
	raw := bytes.TrimSpace([]byte(value))
	isString := len(old) > 0 && old[0] == '"'
	scalar := len(raw) > 0 && !bytes.ContainsAny(raw[:1], `"{[`)
	if !json.Valid(raw) || isString && scalar && string(raw) != "null" {
		return encode(value)
	}
	return raw
}
