//go:build unix

package capture

import (
	"io/fs"
	"os"
	"syscall"
)

// ownedByUs refuses another user's file: root's -wal beside it would lock its owner out, and what
// others may write is not to be believed.
func ownedByUs(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return !ok || int64(s.Uid) == int64(os.Geteuid())
}
