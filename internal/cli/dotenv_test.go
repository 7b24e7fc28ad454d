package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var sampleVars = []variable{
	{name: "BC_STORE_HASH", value: "abc123xyz"},
	{name: "BC_ACCESS_TOKEN", value: "q7w2e9r4t1y6u3i8o5p0", secret: true},
	{name: "GREETING", value: "it's $5"},
}

func TestPatchEnvChangesTheNamedLinesAndNothingElse(t *testing.T) {
	before := "# mine\r\nBC_STORE_HASH=old\r\n\nexport BC_ACCESS_TOKEN='older0token0older0token'\nOTHER=BC_STORE_HASH=no\nLAST=1"
	got := patchEnv(before, sampleVars)
	want := "# mine\r\nBC_STORE_HASH=abc123xyz\r\n\nexport BC_ACCESS_TOKEN=q7w2e9r4t1y6u3i8o5p0\nOTHER=BC_STORE_HASH=no\nLAST=1\nGREETING=\"it's \\$5\"\n"
	if diff := cmp.Diff(want, got.after); diff != "" {
		t.Errorf("the file (-want +got):\n%s", diff)
	}
	if again := patchEnv(got.after, sampleVars); again.after != got.after || len(again.lines) != 0 {
		t.Errorf("patching twice changes %v", again.lines)
	}
	diff := got.diff(sampleVars)
	if strings.Contains(diff, "q7w2e9r4t1y6u3i8o5p0") || strings.Contains(diff, "older0token0older0token") {
		t.Errorf("the shown change holds a token:\n%s", diff)
	}
	if !strings.Contains(diff, "- BC_STORE_HASH=old\n+ BC_STORE_HASH=abc123xyz\n") {
		t.Errorf("the shown change:\n%s", diff)
	}
}

func TestWriteEnvKeepsWhatWasThere(t *testing.T) {
	file := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(file, []byte("BC_STORE_HASH=old\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := writeEnv(file, sampleVars[:1]); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{file: "BC_STORE_HASH=abc123xyz\n", file + ".bak": "BC_STORE_HASH=old\n"} {
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s holds %q (%v)", filepath.Base(name), got, err)
		}
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file with the token has mode %v (%v)", info.Mode(), err)
	}
}

func TestWriteEnvRefusesALink(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "somebody-elses")
	if err := os.WriteFile(target, []byte("KEEP=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, filepath.Join(dir, ".env")); err != nil {
		t.Fatal(err)
	}
	if _, err := writeEnv(filepath.Join(dir, ".env"), sampleVars); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("it said %v", err)
	}
	if got, _ := os.ReadFile(target); string(got) != "KEEP=1\n" {
		t.Errorf("the link's target holds %q", got)
	}
}

func TestShellLinesComeBackAsTheyWere(t *testing.T) {
	v := variable{name: "A", value: "it's \"$HOME\" `x` \\ and\nmore"}
	if got, want := v.shellLine(), "export A='it'\\''s \"$HOME\" `x` \\ and\nmore'"; got != want {
		t.Errorf("%s", got)
	}
}
