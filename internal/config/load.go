package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"bcdev/internal/redact"
)

// maxFile bounds what is read of a configuration file, in bytes.
const maxFile = 1 << 20

// Options is what a configuration is made of.
type Options struct {
	File          string            // the file of --config, or "" to look for one
	Explicit      bool              // --config was given: the file must exist, and is the user's own choice
	Env           []string          // NAME=value
	Flags         map[string]string // key path -> value, of the flags that were given
	AllowUpstream []string          // --allow-upstream: hosts named on the command line
	AllowLAN      bool              // --allow-lan
	Dir           string            // the working folder
	UserConfigDir string            // the user's configuration folder, without our own name
}

// loader builds one Config and collects what is wrong with it.
type loader struct {
	o    Options
	c    *Config
	env  map[string]string
	keys []key

	lines    map[string]int  // where in the file a key stands, list elements included
	expanded map[string]bool // keys whose value came out of the environment: never shown
	trusted  bool            // the file was named by the user or lies in his own folder
	found    Problems
}

// Load makes the configuration: flag before environment before file before default. Its error is
// a [Problems] that holds everything that is wrong.
//
// A file found in the working folder may have come with a cloned repository. It can choose among
// what the user's environment and flags allow, but it cannot name a host that gets credentials
// or callbacks, open a door to the network, or send a file from outside its own folder.
func Load(o Options) (*Config, error) {
	c := Default()
	l := &loader{
		o: o, c: &c, env: environment(o.Env),
		lines: map[string]int{}, expanded: map[string]bool{},
	}
	l.keys = keysOf(l.c)
	c.Origins = make(map[string]string, len(l.keys))
	for _, k := range l.keys {
		c.Origins[k.path] = "default"
	}
	l.readFile()
	l.readEnvironment()
	l.readFlags()
	l.fallBack()
	l.validate()
	if len(l.found) > 0 {
		l.found.sort()
		return nil, l.found
	}
	c.Warnings.sort()
	return &c, nil
}

// readFile finds and reads the file, if there is one.
func (l *loader) readFile() {
	path, trusted := l.findFile()
	if path == "" {
		return
	}
	l.c.File, l.trusted = path, trusted
	text, err := readRegular(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.add(Problem{Code: "no_file", File: l.shown(), Text: "the file does not exist", Next: "check --config; config.example.yaml shows every key"})
	case err != nil:
		l.add(Problem{Code: "unreadable", File: l.shown(), Text: reason(err), Next: "check the file and its permissions"})
	default:
		l.readDocument(text)
	}
}

func (l *loader) findFile() (path string, trusted bool) {
	if l.o.File != "" {
		return l.inDir(l.o.File), true
	}
	if p := filepath.Join(l.o.Dir, "bcdev.yaml"); exists(p) {
		return p, false
	}
	if l.o.UserConfigDir != "" {
		if p := filepath.Join(l.o.UserConfigDir, "bcdev", "bcdev.yaml"); exists(p) {
			return p, true
		}
	}
	return "", false
}

// readEnvironment lays BCDEV_… over the file. An empty variable counts as not set.
func (l *loader) readEnvironment() {
	variables := map[string]bool{}
	for _, k := range l.keys {
		name := variable(k.path)
		variables[name] = true
		if text := l.env[name]; strings.TrimSpace(text) != "" {
			l.override(k, text, "env "+name)
		}
	}
	l.warnOfSlips(variables)
}

// warnOfSlips names the variables that look like a setting and are none.
func (l *loader) warnOfSlips(variables map[string]bool) {
	known := make([]string, 0, len(variables))
	for name := range variables {
		known = append(known, name)
	}
	slices.Sort(known)
	for name := range l.env {
		if !strings.HasPrefix(name, "BCDEV_") || variables[name] || name == "BCDEV_STATE_DIR" {
			continue
		}
		if meant := nearest(name, known); meant != "" {
			l.warn("unknown_variable", "", "unset it or rename it", "the environment variable %s is no setting; %s is", clip(name), meant)
		}
	}
}

func (l *loader) readFlags() {
	for path, text := range l.o.Flags {
		i := slices.IndexFunc(l.keys, func(k key) bool { return k.path == path })
		if i < 0 {
			l.add(Problem{Code: "unknown_key", Key: path, Text: "no such setting", Next: "see bcdev help"})
			continue
		}
		l.override(l.keys[i], text, "flag")
	}
}

// override sets a key from text; what the file could not find out about it no longer matters.
func (l *loader) override(k key, text, origin string) {
	l.found = slices.DeleteFunc(l.found, func(p Problem) bool {
		return p.Code == "unset_name" && (p.Key == k.path || strings.HasPrefix(p.Key, k.path+"["))
	})
	for path := range l.lines {
		if path == k.path || strings.HasPrefix(path, k.path+"[") {
			delete(l.lines, path)
		}
	}
	delete(l.expanded, k.path)
	l.c.Origins[k.path] = origin
	k.value.SetZero()
	l.setText(k, text)
}

// fallBack takes the well-known variables of others where nothing of ours is set.
func (l *loader) fallBack() {
	l.fallBackTo("tunnel.authtoken", "NGROK_AUTHTOKEN")
	l.fallBackTo("app.client_id", "BC_CLIENT_ID")
	l.fallBackTo("app.client_secret", "BC_CLIENT_SECRET")
}

func (l *loader) fallBackTo(path, name string) {
	text := l.env[name]
	i := slices.IndexFunc(l.keys, func(k key) bool { return k.path == path })
	if strings.TrimSpace(text) != "" && l.keys[i].value.Len() == 0 && !l.complained(path) {
		l.override(l.keys[i], text, "env "+name)
		l.expanded[path] = true
	}
}

func (l *loader) complained(path string) bool {
	return slices.ContainsFunc(l.found, func(p Problem) bool { return p.Key == path })
}

func (l *loader) add(p Problem) { l.found = append(l.found, p) }

// bad reports a problem of a key that has a value.
func (l *loader) bad(code, path, next, format string, args ...any) {
	l.add(l.problem(code, path, next, format, args...))
}

func (l *loader) warn(code, path, next, format string, args ...any) {
	l.c.Warnings = append(l.c.Warnings, l.problem(code, path, next, format, args...))
}

func (l *loader) problem(code, path, next, format string, args ...any) Problem {
	p := Problem{Code: code, Key: path, Next: next, Text: fmt.Sprintf(format, args...)}
	if line := l.lines[path]; line > 0 {
		p.File, p.Line = l.shown(), line
	}
	return p
}

// show prints a value of a key for a message: shortened, quoted, and not at all when it came out
// of the environment by ${NAME}.
func (l *loader) show(path, value string) string {
	if l.expanded[path] {
		return "the value of its ${…}"
	}
	return strconv.Quote(clip(value))
}

// byFile reports that the file, and nobody else, set the key.
func (l *loader) byFile(path string) bool { return l.lines[path] > 0 }

// shown is the file's path as a person would write it here.
func (l *loader) shown() string {
	if rel, err := filepath.Rel(l.o.Dir, l.c.File); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return l.c.File
}

func (l *loader) inDir(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(l.o.Dir, path)
}

// readRegular reads a file of at most maxFile bytes; a pipe or a device is not opened.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = errors.New("it is larger than 1 MiB")
	}
	return text, err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// reason is an error without the path, which the message has already.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// clip shortens what a stranger wrote.
func clip(s string) string {
	s = redact.Terminal(s)
	if r := []rune(s); len(r) > 48 {
		return string(r[:48]) + "…"
	}
	return s
}

func isSecret(v reflect.Value) bool { return v.Type() == secretType }
