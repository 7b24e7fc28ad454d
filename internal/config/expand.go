package config

import (
	"regexp"
	"strings"
)

var reference = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// expand replaces every ${NAME} in one value, and nothing else: $NAME, ${NAME:-x} and $$ stay as
// they are. What is put in is not looked at again. It returns the names that are not set.
func expand(value string, env map[string]string) (expanded string, used bool, unset []string) {
	expanded = reference.ReplaceAllStringFunc(value, func(ref string) string {
		used = true
		name := ref[2 : len(ref)-1]
		v, set := env[name]
		if !set {
			unset = append(unset, name)
		}
		return v
	})
	return expanded, used, unset
}

// environment turns NAME=value lines into a map; the last of two wins, as in a shell.
func environment(lines []string) map[string]string {
	env := make(map[string]string, len(lines))
	for _, line := range lines {
		if name, value, ok := strings.Cut(line, "="); ok {
			env[name] = value
		}
	}
	return env
}
