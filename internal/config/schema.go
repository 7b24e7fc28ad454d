package config

import (
	"reflect"
	"slices"
	"strings"

	"bcdev/internal/redact"
)

var secretType = reflect.TypeFor[redact.Secret]()

// key is one setting: a field of [Config] that is not a section.
type key struct {
	path  string
	value reflect.Value
	bytes bool // a size rather than a count
}

// keysOf lists the settings of c in the order of the type. Lists and maps are one setting each.
func keysOf(c *Config) []key {
	var all []key
	var walk func(prefix string, v reflect.Value)
	walk = func(prefix string, v reflect.Value) {
		for i := range v.NumField() {
			name := v.Type().Field(i).Tag.Get("yaml")
			if name == "-" {
				continue
			}
			if v.Field(i).Kind() == reflect.Struct {
				walk(prefix+name+".", v.Field(i))
				continue
			}
			size := v.Type().Field(i).Tag.Get("unit") == "bytes"
			all = append(all, key{prefix + name, v.Field(i), size})
		}
	}
	walk("", reflect.ValueOf(c).Elem())
	return all
}

// Keys lists the path of every setting, such as "proxy.listen".
func Keys() []string {
	var paths []string
	for _, k := range keysOf(new(Config)) {
		paths = append(paths, k.path)
	}
	return paths
}

// fieldNamed finds the field of a section by its key.
func fieldNamed(section reflect.Value, name string) (field reflect.Value, bytes, ok bool) {
	for i := range section.NumField() {
		f := section.Type().Field(i)
		if tag := f.Tag.Get("yaml"); tag == name && tag != "-" {
			return section.Field(i), f.Tag.Get("unit") == "bytes", true
		}
	}
	return reflect.Value{}, false, false
}

// suggest names the key that was meant by an unknown one in a section: a neighbour, or the key
// of that name in another section.
func suggest(section reflect.Value, name string) string {
	var neighbours []string
	for i := range section.NumField() {
		if tag := section.Type().Field(i).Tag.Get("yaml"); tag != "-" {
			neighbours = append(neighbours, tag)
		}
	}
	if n := nearest(name, neighbours); n != "" {
		return n
	}
	paths := Keys()
	if i := slices.IndexFunc(paths, func(p string) bool { return strings.HasSuffix(p, "."+name) }); i >= 0 {
		return paths[i]
	}
	return ""
}

// variable is the environment variable of a key.
func variable(path string) string {
	return "BCDEV_" + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}
