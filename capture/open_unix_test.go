//go:build unix

package capture_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"bcdev/capture"
)

func TestTheFilesAreTheUsersAloneWhateverTheUmask(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	j := openAt(t, filepath.Join(dir, "journal.db"), capture.Options{})
	add(t, j, capture.Exchange{Target: "/"})
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Fatalf("%d files, %v", len(entries), err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o, %v", e.Name(), info.Mode().Perm(), err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %o, %v", info.Mode().Perm(), err)
	}
}

func TestAFileOthersCouldReadIsMadeOurs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	openAt(t, path, capture.Options{})
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %o, %v", info.Mode().Perm(), err)
	}
}

func TestAnotherUsersFileIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	path := filepath.Join(t.TempDir(), "journal.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 12345, 12345); err != nil {
		t.Skip(err)
	}
	if j, err := capture.Open(path, capture.Options{}); err == nil {
		j.Close()
		t.Error("it opened")
	}
}
