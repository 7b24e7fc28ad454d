//go:build !windows

package serve

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestP98TheSocketIsTheUsersAlone(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	folder := filepath.Join(t.TempDir(), "s")
	path := filepath.Join(folder, "door.sock")
	l, err := Listen("unix://"+path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for p, want := range map[string]os.FileMode{folder: 0o700, path: 0o600} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v", p, info.Mode(), err)
		}
	}
	if _, err := Listen("unix://"+path, false); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second one at the same path: %v", err)
	}
}

func TestP98AFileAtThePathIsLeftAlone(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "s")
	path := filepath.Join(folder, "door.sock")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen("unix://"+path, false); err == nil || hint(err) == "" {
		t.Errorf("err = %v", err)
	}
	if text, _ := os.ReadFile(path); string(text) != "mine" {
		t.Errorf("the file is now %q", text)
	}
}

func TestASocketThatAKilledProgramLeftIsReplaced(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "s")
	path := filepath.Join(folder, "door.sock")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	_ = left.Close()
	l, err := Listen("unix://"+path, false)
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
}

func TestAFolderOthersMayEnterIsRefused(t *testing.T) {
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := Listen("unix://"+filepath.Join(folder, "door.sock"), false)
	if err == nil || !strings.Contains(hint(err), "chmod 700") {
		t.Errorf("err = %v, hint %q", err, hint(err))
	}
}
