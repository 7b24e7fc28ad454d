//go:build !windows

package serve

import (
	"errors"
	"os"
	"syscall"
)

// private reports why a folder is not its owner's alone.
func private(folder string) error {
	info, err := os.Stat(folder)
	if err != nil {
		return err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && int(owner.Uid) != os.Geteuid() {
		return errors.New("the folder belongs to another user")
	}
	if info.Mode().Perm()&0o077 != 0 {
		return errors.New("other users may enter the folder")
	}
	return nil
}
