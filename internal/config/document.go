package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxList bounds every list of the file.
const maxList = 1000

// readDocument reads the one YAML document of the file into the configuration.
func (l *loader) readDocument(text []byte) {
	d := yaml.NewDecoder(bytes.NewReader(text))
	var doc yaml.Node
	if err := d.Decode(&doc); err != nil {
		if !errors.Is(err, io.EOF) { // an empty file is fine
			l.add(l.syntax(err))
		}
		return
	}
	// Decode stops behind the first document; a second one would be dropped in silence.
	var second yaml.Node
	if err := d.Decode(&second); err == nil {
		l.add(Problem{Code: "second_document", File: l.shown(), Line: second.Line, Text: "a second YAML document begins here", Next: "remove the line ---, or the rest of the file"})
	} else if !errors.Is(err, io.EOF) {
		l.add(l.syntax(err))
	}
	r := reader{loader: l, file: true}
	r.section("", doc.Content[0], reflect.ValueOf(l.c).Elem())
}

var (
	yamlLine   = regexp.MustCompile(`line (\d+): `)
	yamlQuoted = regexp.MustCompile(`(?s)['"\x60].*['"\x60]`)
)

// syntax turns the parser's complaint into a problem. What it quotes of the file may be part of
// a secret, so that is taken out.
func (l *loader) syntax(err error) Problem {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	p := Problem{Code: "syntax", File: l.shown(), Next: "mend the YAML near this line; put values with special characters in quotes"}
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		p.Line, _ = strconv.Atoi(m[1])
		text = strings.Replace(text, m[0], "", 1)
	}
	p.Text = "not valid YAML: " + yamlQuoted.ReplaceAllString(text, "…")
	return p
}

// reader brings YAML nodes into the fields of a Config.
type reader struct {
	*loader
	file bool // the nodes are the file's: lines count, and ${NAME} is expanded
}

func (r reader) complain(n *yaml.Node, code, path, next, format string, args ...any) {
	p := Problem{Code: code, Key: clip(path), Next: next, Text: fmt.Sprintf(format, args...)}
	if r.file {
		p.File, p.Line = r.shown(), n.Line
	}
	r.add(p)
}

// section reads a mapping into a struct.
func (r reader) section(path string, n *yaml.Node, v reflect.Value) {
	r.pairs(path, n, func(name, path string, keyNode, n *yaml.Node) {
		field, size, known := fieldNamed(v, name)
		if !known {
			text, next := "unknown key", "remove it; config.example.yaml shows every key"
			if meant := suggest(v, name); meant != "" {
				text, next = text+"; did you mean "+meant+"?", "rename it to "+meant
			}
			r.complain(keyNode, "unknown_key", path, next, "%s", text)
			return
		}
		r.node(key{path, field, size}, n)
	})
}

// pairs calls each for every key of a mapping, and complains about keys that come twice.
func (r reader) pairs(path string, n *yaml.Node, each func(name, path string, keyNode, n *yaml.Node)) {
	n = resolve(n)
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		r.complain(n, "wrong_type", path, "write its keys below it, indented", "must be a mapping, not %s", kindOf(n))
		return
	}
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		keyNode := n.Content[i]
		if keyNode.Kind != yaml.ScalarNode {
			r.complain(keyNode, "wrong_type", path, "write it as name: value", "a key must be a word, not %s", kindOf(keyNode))
			continue
		}
		name := keyNode.Value
		full := strings.TrimPrefix(path+"."+name, ".")
		if line, twice := first[name]; twice {
			r.complain(keyNode, "duplicate_key", full, "keep one of the two", "given twice, first in line %d", line)
			continue
		}
		first[name] = keyNode.Line
		each(name, full, keyNode, resolve(n.Content[i+1]))
	}
}

// node reads one value of any kind.
func (r reader) node(k key, n *yaml.Node) {
	if k.value.Kind() == reflect.Struct {
		r.section(k.path, n, k.value)
		return
	}
	r.note(k.path, n)
	switch k.value.Kind() {
	case reflect.Slice:
		r.list(k, n)
	case reflect.Map:
		r.table(k, n)
	default:
		r.scalar(k, n)
	}
}

// note remembers where a value stands.
func (r reader) note(path string, n *yaml.Node) {
	if !r.file {
		return
	}
	r.lines[path] = n.Line
	if _, setting := r.c.Origins[path]; setting {
		r.c.Origins[path] = r.shown() + ":" + strconv.Itoa(n.Line)
	}
}

func (r reader) list(k key, n *yaml.Node) {
	if isNull(n) {
		k.value.SetZero()
		return
	}
	if n.Kind != yaml.SequenceNode {
		r.complain(n, "wrong_type", k.path, "write it as [a, b]", "must be a list, not %s", kindOf(n))
		return
	}
	if len(n.Content) > maxList {
		r.complain(n, "too_many", k.path, "", "has more than %d elements", maxList)
		return
	}
	list := reflect.MakeSlice(k.value.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		item = resolve(item)
		element := key{fmt.Sprintf("%s[%d]", k.path, i), list.Index(i), false}
		r.note(element.path, item)
		if hook, ok := element.value.Addr().Interface().(*Hook); ok && item.Kind == yaml.ScalarNode {
			element = key{element.path + ".scope", reflect.ValueOf(&hook.Scope).Elem(), false} // a bare one
		}
		r.element(element, item)
	}
	k.value.Set(list)
}

func (r reader) element(k key, n *yaml.Node) {
	if isNull(n) {
		r.complain(n, "wrong_type", k.path, "remove it or fill it in", "is empty")
		return
	}
	r.node(k, n)
}

func (r reader) table(k key, n *yaml.Node) {
	m := map[string]string{}
	r.pairs(k.path, n, func(name, path string, _, n *yaml.Node) {
		var value string
		r.note(path, n)
		r.scalar(key{path, reflect.ValueOf(&value).Elem(), false}, n)
		m[name] = value
	})
	k.value.Set(reflect.ValueOf(m))
}

// scalar reads a single value. Null leaves texts empty and everything else at its default.
func (r reader) scalar(k key, n *yaml.Node) {
	if n.Kind != yaml.ScalarNode {
		r.complain(n, "wrong_type", k.path, remedy(k), "must be %s, not %s", wanted(k), kindOf(n))
		return
	}
	if isNull(n) {
		if k.value.Kind() == reflect.String {
			k.value.SetString("")
		}
		return
	}
	text, used, unset := n.Value, false, []string(nil)
	if r.file {
		text, used, unset = expand(n.Value, r.env)
	}
	if used {
		r.expanded[k.path] = true
	}
	for _, name := range unset {
		r.complain(n, "unset_name", k.path, "export "+name+", or remove this key", "the environment has no %s", name)
	}
	if len(unset) > 0 {
		return
	}
	if !used && !fits(k.value, n) {
		r.complain(n, "wrong_type", k.path, remedy(k), "must be %s, not %s", wanted(k), kindOf(n))
		return
	}
	if err := assign(k, text); err != nil {
		r.complain(n, "wrong_type", k.path, remedy(k), "%s", err)
	}
}

// fits reports that a plain value has the type its key wants: 'yes' and 1 are no booleans.
func fits(v reflect.Value, n *yaml.Node) bool {
	switch v.Kind() {
	case reflect.Bool:
		return n.Tag == "!!bool"
	case reflect.Int:
		return n.Tag == "!!int"
	default:
		return n.Tag != "!!binary"
	}
}

func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!bool":
		return "true or false"
	case n.Tag == "!!int", n.Tag == "!!float":
		return "a number"
	case n.Tag == "!!null":
		return "nothing"
	default:
		return "text"
	}
}
