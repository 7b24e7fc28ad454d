package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// variable is one name of an app's environment.
type variable struct {
	name, value string
	secret      bool
}

// shellLine is the variable for a POSIX shell.
func (v variable) shellLine() string {
	return "export " + v.name + "='" + strings.ReplaceAll(v.value, "'", `'\''`) + "'"
}

// dotenvLine is the variable for a .env file. Single quotes keep everything as it is in the
// readers of Node, Ruby, PHP and Python; a value that holds one is put in double quotes.
func (v variable) dotenvLine() string {
	plain := func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune("_-.:/@%+,", r)
	}
	switch {
	case strings.IndexFunc(v.value, func(r rune) bool { return !plain(r) }) < 0:
		return v.name + "=" + v.value
	case !strings.ContainsAny(v.value, "'\n"):
		return v.name + "='" + v.value + "'"
	}
	return v.name + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "$", `\$`).Replace(v.value) + `"`
}

// envPatch is what a .env file becomes.
type envPatch struct {
	before, after string
	lines         []patchLine
}

// patchLine is one changed line: what goes and what comes, either may be empty.
type patchLine struct{ old, new string }

// patchEnv replaces the lines of the named variables, keeps every other byte, and adds what is
// missing at the end.
func patchEnv(before string, vars []variable) envPatch {
	p := envPatch{before: before}
	left := slices.Clone(vars)
	var out strings.Builder
	for line := range strings.Lines(before) {
		text := strings.TrimRight(line, "\r\n")
		i := slices.IndexFunc(left, func(v variable) bool { return assigns(text, v.name) })
		if i < 0 {
			out.WriteString(line)
			continue
		}
		fresh := left[i].dotenvLine()
		if strings.HasPrefix(strings.TrimSpace(text), "export ") {
			fresh = "export " + fresh
		}
		left = slices.Delete(left, i, i+1)
		if fresh != text {
			p.lines = append(p.lines, patchLine{text, fresh})
		}
		out.WriteString(fresh + line[len(text):])
	}
	if len(left) > 0 && before != "" && !strings.HasSuffix(before, "\n") {
		out.WriteByte('\n')
	}
	for _, v := range left {
		p.lines = append(p.lines, patchLine{new: v.dotenvLine()})
		out.WriteString(v.dotenvLine() + "\n")
	}
	p.after = out.String()
	return p
}

// assigns reports whether a line of a .env file sets name.
func assigns(line, name string) bool {
	line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "export "))
	key, _, ok := strings.Cut(line, "=")
	return ok && strings.TrimSpace(key) == name
}

// diff shows the change, secrets as dots.
func (p envPatch) diff(vars []variable) string {
	var b strings.Builder
	for _, l := range p.lines {
		if l.old != "" {
			b.WriteString("- " + masked(l.old, vars) + "\n")
		}
		b.WriteString("+ " + masked(l.new, vars) + "\n")
	}
	return b.String()
}

func masked(line string, vars []variable) string {
	for _, v := range vars {
		if v.secret && assigns(line, v.name) {
			name, value, _ := strings.Cut(line, "=")
			return name + "=" + secret(strings.Trim(value, `'"`)).Tail()
		}
	}
	return line
}

// writeEnv patches file. It refuses symbolic links, whose target may be anybody's, and keeps what
// was there beside it as file.bak.
func writeEnv(file string, vars []variable) (envPatch, error) {
	info, err := os.Lstat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return envPatch{}, fmt.Errorf("looking at %s: %w", file, err)
	case info.Mode()&fs.ModeSymlink != 0:
		return envPatch{}, failed("name the file that the link points to", "%s is a symbolic link: it is not written through", file)
	case !info.Mode().IsRegular():
		return envPatch{}, failed("name a plain file", "%s is no plain file", file)
	}
	before, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return envPatch{}, fmt.Errorf("reading %s: %w", file, err)
	}
	p := patchEnv(string(before), vars)
	if len(p.lines) == 0 {
		return p, nil
	}
	if info != nil {
		if err := writePrivate(file+".bak", before); err != nil {
			return p, fmt.Errorf("keeping a copy of %s: %w", filepath.Base(file), err)
		}
	}
	if err := writePrivate(file, []byte(p.after)); err != nil {
		return p, &exitError{exitFailed, fmt.Errorf("writing %s: %w", file, cause(err)), "name a file in a folder that is there and yours"}
	}
	return p, nil
}

// cause is an error without the name of the temporary file that it came from.
func cause(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}
