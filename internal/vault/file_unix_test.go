//go:build !windows

package vault

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestS01FolderAndFilesAreTheUsersAlone(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	dir := filepath.Join(t.TempDir(), "a", "state")
	put(t, open(t, Options{Dir: dir}), grantOf("aaa111", tokenA))
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "vault.json"): 0o600, filepath.Join(dir, "vault.json.lock"): 0o600} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v, want %v", path, info.Mode().Perm(), err, want)
		}
	}
	left, _ := os.ReadDir(dir)
	if len(left) != 2 {
		t.Errorf("the folder holds %v", left)
	}
}

func TestAFileOthersCanReadIsRefused(t *testing.T) {
	dir := t.TempDir()
	put(t, open(t, Options{Dir: dir}), grantOf("aaa111", tokenA))
	path := filepath.Join(dir, "vault.json")
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Options{Dir: dir, NoKeyring: true})
	if err == nil || !strings.Contains(hint(err), "chmod 600 "+path) {
		t.Errorf("err = %v, hint %q", err, hint(err))
	}
}

func TestAFolderOthersCanWriteToIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Options{Dir: dir, NoKeyring: true})
	if err == nil || !strings.Contains(hint(err), "chmod 700") {
		t.Errorf("err = %v, hint %q", err, hint(err))
	}
}
