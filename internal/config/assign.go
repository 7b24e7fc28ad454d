package config

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// setText reads a value of the environment or of a flag. Lists are comma-separated; lists of
// mappings and maps are YAML in flow style, the outer brackets optional. Nothing is expanded.
func (l *loader) setText(k key, text string) {
	open, shut := "[", "]"
	switch {
	case k.value.Kind() == reflect.Map:
		open, shut = "{", "}"
	case k.value.Kind() == reflect.Slice && k.value.Type().Elem().Kind() == reflect.String:
		l.setList(k, text)
		return
	case k.value.Kind() != reflect.Slice:
		if err := assign(k, text); err != nil {
			l.bad("wrong_type", k.path, "correct it: "+l.c.Origins[k.path], "%s", err)
		}
		return
	}
	if text = strings.TrimSpace(text); !strings.HasPrefix(text, open) {
		text = open + text + shut
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil || len(doc.Content) == 0 {
		l.bad("syntax", k.path, "correct it: "+l.c.Origins[k.path], "not valid as a list in YAML flow style")
		return
	}
	reader{loader: l}.node(k, doc.Content[0])
}

func (l *loader) setList(k key, text string) {
	var list []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	k.value.Set(reflect.ValueOf(list))
}

// assign brings text into a field of a single value. Space around it is dropped: it comes with
// pasting. The error never quotes the text.
func assign(k key, text string) error {
	text = strings.TrimSpace(text)
	switch {
	case k.value.Kind() == reflect.Bool:
		yes := strings.EqualFold(text, "true")
		if !yes && !strings.EqualFold(text, "false") {
			return errors.New("must be " + wanted(k))
		}
		k.value.SetBool(yes)
	case k.bytes:
		n, err := parseBytes(text)
		if err != nil {
			return err
		}
		k.value.SetInt(n)
	case k.value.Kind() == reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return errors.New("must be " + wanted(k))
		}
		k.value.SetInt(int64(n))
	default:
		k.value.SetString(text)
	}
	return nil
}

func wanted(k key) string {
	switch {
	case k.bytes:
		return "a size such as 1MiB"
	case k.value.Kind() == reflect.Bool:
		return "true or false"
	case k.value.Kind() == reflect.Int:
		return "a whole number"
	default:
		return "text"
	}
}

// remedy says how a value that is wanted is written.
func remedy(k key) string {
	switch {
	case k.bytes:
		return "e.g. 1MiB"
	case k.value.Kind() == reflect.Bool:
		return "write true or false, without quotes"
	case k.value.Kind() == reflect.Int:
		return "write digits only, without quotes"
	default:
		return "write it on one line, in quotes"
	}
}

// controls reports whether s holds a control character or an invisible sign that turns the
// direction of writing.
func controls(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == unicode.ReplacementChar
	})
}
