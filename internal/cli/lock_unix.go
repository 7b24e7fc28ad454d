//go:build unix

package cli

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// lockState keeps a second bcdev from running on the same state folder. The lock goes with the
// process, whatever ends it.
func lockState(dir string) (io.Closer, error) {
	f, err := os.OpenFile(filepath.Join(dir, "up.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, stateUnlocked(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, stateTaken(dir)
		}
		return nil, stateUnlocked(err)
	}
	return f, nil
}
