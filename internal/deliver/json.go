package deliver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// setDepth bounds how deep a path may lead into a document.
const setDepth = 64

// setJSON replaces one value of doc, or adds it, and leaves every other byte as it is: the order
// of keys, the spaces, and numbers that no float can hold. Segments name keys, or indices of
// arrays; an index of the array's length appends. A value that is JSON is taken as JSON, anything
// else as a string.
func setJSON(doc []byte, path []string, value string) ([]byte, error) {
	if len(path) > setDepth {
		return nil, errors.New("the path is too deep")
	}
	if len(bytes.TrimSpace(doc)) == 0 {
		doc = []byte("{}")
	}
	if !json.Valid(doc) {
		return nil, errors.New("the body is not JSON")
	}
	return setRaw(doc, path, jsonValue(value))
}

func jsonValue(value string) []byte {
	if json.Valid([]byte(value)) {
		return []byte(value)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(value)
	return bytes.TrimSpace(b.Bytes())
}

// setRaw works on a valid document.
func setRaw(doc []byte, path []string, value []byte) ([]byte, error) {
	if len(path) == 0 {
		return value, nil
	}
	parts, kind, end, err := members(doc)
	if err != nil {
		return nil, err
	}
	if kind == 0 {
		return nil, fmt.Errorf("%q is inside of something that is neither object nor array", path[0])
	}
	at, err := locate(parts, kind, path[0])
	if err != nil {
		return nil, err
	}
	if at < 0 {
		return insert(doc, parts, kind, end, path, value)
	}
	inner, err := setRaw(doc[parts[at].start:parts[at].end], path[1:], value)
	if err != nil {
		return nil, err
	}
	return splice(doc, parts[at].start, parts[at].end, inner), nil
}

// member is one value of an object or array, by its place in the document.
type member struct {
	key        string
	start, end int
}

// locate finds the member that a segment names; the last of equal keys counts, as for parsers.
func locate(parts []member, kind json.Delim, segment string) (int, error) {
	if kind == '[' {
		i, err := strconv.Atoi(segment)
		if err != nil || i < 0 || i > len(parts) {
			return 0, fmt.Errorf("%q is no index of an array of %d", segment, len(parts))
		}
		if i == len(parts) {
			return -1, nil
		}
		return i, nil
	}
	for i := len(parts) - 1; i >= 0; i-- {
		if parts[i].key == segment {
			return i, nil
		}
	}
	return -1, nil
}

// insert adds what is not there yet, behind the last member.
func insert(doc []byte, parts []member, kind json.Delim, end int, path []string, value []byte) ([]byte, error) {
	for i := len(path) - 1; i > 0; i-- {
		value = []byte("{" + string(jsonString(path[i])) + ":" + string(value) + "}")
	}
	if kind == '{' {
		value = append(append(jsonString(path[0]), ':'), value...)
	}
	at := end - 1 // the closing bracket
	if len(parts) > 0 {
		at = parts[len(parts)-1].end
		value = append([]byte{','}, value...)
	}
	return splice(doc, at, at, value), nil
}

func jsonString(s string) []byte {
	b, _ := json.Marshal(s)
	return b
}

// members lists the values directly inside of doc. Kind is '{', '[' or 0; end is where the
// closing bracket ends.
func members(doc []byte) (parts []member, kind json.Delim, end int, err error) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	open, err := dec.Token()
	if err != nil {
		return nil, 0, 0, err
	}
	kind, ok := open.(json.Delim)
	if !ok {
		return nil, 0, 0, nil
	}
	for dec.More() {
		var m member
		if kind == '{' {
			key, err := dec.Token()
			if err != nil {
				return nil, 0, 0, err
			}
			m.key, _ = key.(string)
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, 0, 0, err
		}
		m.end = int(dec.InputOffset())
		m.start = m.end - len(raw)
		parts = append(parts, m)
	}
	if _, err := dec.Token(); err != nil && err != io.EOF {
		return nil, 0, 0, err
	}
	return parts, kind, int(dec.InputOffset()), nil
}

func splice(doc []byte, from, to int, with []byte) []byte {
	out := make([]byte, 0, len(doc)+len(with))
	out = append(out, doc[:from]...)
	out = append(out, with...)
	return append(out, doc[to:]...)
}
