package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTheCertificateAuthorityIsKeptRenewedAndRemoved(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	first, err := keepCA(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	same, err := keepCA(dir, now.Add(time.Hour))
	if err != nil || !same.Leaf.Equal(first.Leaf) {
		t.Errorf("an hour later there is another one (%v)", err)
	}
	later, err := keepCA(dir, first.Leaf.NotAfter.Add(-time.Hour))
	if err != nil || later.Leaf.Equal(first.Leaf) {
		t.Errorf("one that is about to expire is kept (%v)", err)
	}
	info, err := os.Stat(filepath.Join(dir, caKeyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info.Mode(), err)
	}

	r := &run{t: t, state: dir}
	if code, out, _ := r.command(nil, "ca", "path"); code != 0 || strings.TrimSpace(out) != filepath.Join(dir, caFile) {
		t.Errorf("ca path: %d %q", code, out)
	}
	code, _, errs := r.command(nil, "ca", "remove")
	if code != 0 || !strings.Contains(errs, "trust store") {
		t.Errorf("ca remove: %d\n%s", code, errs)
	}
	for _, name := range []string{caFile, caKeyFile, caBundleFile} {
		if exists(filepath.Join(dir, name)) {
			t.Errorf("%s is still there", name)
		}
	}
	if code, _, errs := r.command(nil, "ca", "show"); code != 1 || !strings.Contains(errs, "hint: ") {
		t.Errorf("ca show: %d\n%s", code, errs)
	}
}

func TestEnvForwardNamesFilesThatAreThere(t *testing.T) {
	r := &run{t: t, state: t.TempDir()}
	code, out, errs := r.command(nil, "env", "--forward")
	if code != 0 {
		t.Fatalf("exit %d\n%s", code, errs)
	}
	for line := range strings.Lines(out) {
		_, value, ok := strings.Cut(strings.TrimSpace(line), "='")
		if file := strings.TrimSuffix(value, "'"); ok && strings.HasPrefix(line, "export ") && filepath.IsAbs(file) && !exists(file) {
			t.Errorf("%s", line)
		}
	}
}
