package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// rooms says, for every package of this module, which other packages of the module it may
// import. A package without a line fails the test, and so does an arrow that is not drawn here.
var rooms = map[string][]string{
	"bcdev":                      {"internal/cli"},
	"bcdev/internal/redact":      {},
	"bcdev/internal/bigcommerce": {"internal/redact"},
	"bcdev/internal/config":      {"internal/redact"},
	"bcdev/capture":              {"internal/redact"},
	"bcdev/tunnel":               {},
	"bcdev/proxy":                {},
	"bcdev/internal/serve":       {},
	"bcdev/internal/edge":        {},
	"bcdev/internal/vault":       {"internal/bigcommerce", "internal/redact"},
	"bcdev/internal/deliver":     {"capture", "internal/bigcommerce", "internal/redact"},
	"bcdev/internal/callback":    {"capture", "internal/bigcommerce", "internal/redact"},
	"bcdev/internal/console":     {"capture", "internal/bigcommerce", "internal/redact"},
	"bcdev/internal/hooks":       {"internal/bigcommerce", "internal/redact"},
	"bcdev/internal/inspect":     {"capture", "internal/bigcommerce", "internal/redact"},
	"bcdev/internal/export":      {"capture", "internal/bigcommerce", "internal/redact"},
	"bcdev/internal/sandbox":     {"internal/bigcommerce", "internal/redact"},
	"bcdev/internal/cli":         {"*"},
}

// testsOnly are arrows that a package's tests may draw and its code may not.
var testsOnly = map[string][]string{
	"bcdev/tunnel": {"internal/edge"}, // the real SDK needs its other end
}

// libraries says in which room a library may be imported. A third-party package that is not
// here is not in the house at all.
var libraries = map[string][]string{
	"github.com/elazarl/goproxy":      {"bcdev/proxy"},
	"github.com/vektah/gqlparser/v2":  {"bcdev/proxy", "bcdev/internal/sandbox"},
	"golang.org/x/net":                {"bcdev/proxy", "bcdev/internal/deliver"},
	"golang.ngrok.com/ngrok/v2":       {"bcdev/tunnel"},
	"golang.ngrok.com/muxado/v2":      {"bcdev/internal/edge"},
	"github.com/fatih/color":          {"bcdev/internal/console"},
	"golang.org/x/term":               {"bcdev/internal/console", "bcdev/internal/cli"},
	"gopkg.in/yaml.v3":                {"bcdev/internal/config"},
	"github.com/spf13/cobra":          {"bcdev/internal/cli"},
	"github.com/spf13/pflag":          {"bcdev/internal/cli"},
	"modernc.org/sqlite":              {"bcdev/capture"},
	"github.com/andybalholm/brotli":   {"bcdev/capture"},
	"github.com/klauspost/compress":   {"bcdev/capture"},
	"github.com/golang-jwt/jwt/v5":    {"bcdev/internal/bigcommerce"},
	"github.com/zalando/go-keyring":   {"bcdev/internal/vault"},
	"golang.org/x/sys":                {"bcdev/internal/vault", "bcdev/internal/cli"},
	"github.com/google/go-cmp":        {"tests"},
	"github.com/rogpeppe/go-internal": {"tests"},
}

type listed struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func TestEveryImportIsAnArrowOfTheHouse(t *testing.T) {
	for _, p := range list(t) {
		allowed, known := rooms[p.ImportPath]
		if !known {
			t.Errorf("package %s has no line in the policy", p.ImportPath)
			continue
		}
		for _, path := range p.Imports {
			check(t, p.ImportPath, path, allowed, false)
		}
		for _, path := range append(p.TestImports, p.XTestImports...) {
			check(t, p.ImportPath, path, append(allowed, testsOnly[p.ImportPath]...), true)
		}
	}
}

func TestThePolicyNamesNoPackageThatIsGone(t *testing.T) {
	var have []string
	for _, p := range list(t) {
		have = append(have, p.ImportPath)
	}
	for room := range rooms {
		if !slices.Contains(have, room) {
			t.Errorf("the policy has a line for %s, which does not exist", room)
		}
	}
}

func check(t *testing.T, room, path string, allowed []string, inTest bool) {
	t.Helper()
	if inner, ours := strings.CutPrefix(path, "bcdev/"); ours {
		if path != room && !slices.Contains(allowed, inner) && !slices.Contains(allowed, "*") {
			t.Errorf("%s may not import %s", room, path)
		}
		return
	}
	if !strings.Contains(strings.SplitN(path, "/", 2)[0], ".") {
		return // the standard library
	}
	for library, where := range libraries {
		if path == library || strings.HasPrefix(path, library+"/") {
			if slices.Contains(where, room) || inTest && slices.Contains(where, "tests") {
				return
			}
			t.Errorf("%s may not import %s: it belongs to %s", room, path, strings.Join(where, ", "))
			return
		}
	}
	t.Errorf("%s imports %s, which the policy does not know", room, path)
}

func list(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// TestLibcIsTheOneSQLitePins holds what the SQLite library asks of whoever builds it: its C
// runtime at exactly the version it was generated with.
func TestLibcIsTheOneSQLitePins(t *testing.T) {
	version := func(module string) string {
		out, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", module).Output()
		if err != nil {
			t.Fatalf("go list -m %s: %v", module, err)
		}
		return strings.TrimSpace(string(out))
	}
	graph, err := exec.Command("go", "mod", "graph").Output()
	if err != nil {
		t.Fatalf("go mod graph: %v", err)
	}
	pinned := "modernc.org/sqlite@" + version("modernc.org/sqlite") + " modernc.org/libc@" + version("modernc.org/libc") + "\n"
	if !strings.Contains(string(graph), pinned) {
		t.Errorf("modernc.org/libc is at %s, which is not what SQLite pins", version("modernc.org/libc"))
	}
}
