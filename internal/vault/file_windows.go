package vault

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// ownFile and ownFolder: a user's profile is closed to other users by its access list, which new
// files inherit and mode bits do not show.
func ownFile(fs.FileInfo) error { return nil }

func ownFolder(fs.FileInfo) error { return nil }

func inodeOf(fs.FileInfo) uint64 { return 0 }

func tryLock(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errLocked
	}
	return err
}
