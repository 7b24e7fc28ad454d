package vault

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	maxFile  = 32 << 20        // bytes
	lockTime = 5 * time.Second // the usual file.wait
	lockStep = 10 * time.Millisecond
)

// file is vault.json: read whole, written by rename, beside a lock file that lasts.
type file struct {
	path string
	wait time.Duration // how long another process may hold the lock
}

// stamp tells one version of the file from another. The zero stamp means no file.
type stamp struct {
	inode   uint64
	size    int64
	changed int64 // ns
}

// FileError says what is wrong with the vault's file or folder. Nothing was changed.
type FileError struct {
	Path string
	Err  error
	next string
}

func (e *FileError) Error() string { return fmt.Sprintf("the vault %s: %v", e.Path, e.Err) }

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// Hint says what to do next.
func (e *FileError) Hint() string { return e.next }

// ErrDamaged means that the vault's file cannot be understood. It is kept as it is.
var ErrDamaged = errors.New("damaged")

func (f file) damaged(what string, why error) error {
	return &FileError{
		Path: f.path, Err: fmt.Errorf("%w: %s (%w)", ErrDamaged, what, why),
		next: fmt.Sprintf("bring back a copy, or move it away (mv %[1]s %[1]s.bad) and install the app again", f.path),
	}
}

func (f file) failed(doing string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return &FileError{Path: f.path, Err: fmt.Errorf("%s: %w", doing, err), next: "check the state folder, or choose another with --state-dir"}
}

func (f file) makeFolder() error {
	folder := filepath.Dir(f.path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return f.failed("making its folder", err)
	}
	info, err := os.Stat(folder)
	if err != nil {
		return f.failed("looking at its folder", err)
	}
	if err := ownFolder(info); err != nil {
		return &FileError{Path: folder, Err: err, next: "chmod 700 " + folder + ", or choose another folder with --state-dir"}
	}
	return nil
}

func (f file) stamp() (stamp, error) {
	info, err := os.Lstat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return stamp{}, nil
	}
	if err != nil {
		return stamp{}, f.failed("looking at it", err)
	}
	return stampOf(info), nil
}

func stampOf(info fs.FileInfo) stamp {
	return stamp{inodeOf(info), info.Size(), info.ModTime().UnixNano()}
}

// read checks the very file it reads: who owns it, and who else may read it.
func (f file) read() ([]byte, stamp, error) {
	named, err := os.Lstat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, stamp{}, fs.ErrNotExist
	}
	if err != nil {
		return nil, stamp{}, f.failed("looking at it", err)
	}
	if !named.Mode().IsRegular() {
		return nil, stamp{}, &FileError{Path: f.path, Err: errors.New("it is not a regular file"), next: "move it away"}
	}
	open, err := os.Open(f.path)
	if err != nil {
		return nil, stamp{}, f.failed("opening it", err)
	}
	defer open.Close()
	info, err := open.Stat()
	if err != nil {
		return nil, stamp{}, f.failed("looking at it", err)
	}
	if err := ownFile(info); err != nil {
		return nil, stamp{}, &FileError{Path: f.path, Err: err, next: "make it yours alone: chmod 600 " + f.path + "; if a stranger may have read it, install the app again"}
	}
	text, err := io.ReadAll(io.LimitReader(open, maxFile+1))
	if err != nil {
		return nil, stamp{}, f.failed("reading it", err)
	}
	if len(text) > maxFile {
		return nil, stamp{}, f.damaged("it is larger than 32 MiB", errors.New("size"))
	}
	return text, stampOf(info), nil
}

// write replaces the file in one step: whoever reads, and whatever breaks, finds the old or the
// new one, whole.
func (f file) write(text []byte) (stamp, error) {
	temp := f.path + "." + rand.Text()[:8] + ".tmp"
	out, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return stamp{}, f.failed("writing it", err)
	}
	defer func() { _ = os.Remove(temp) }() // gone already when all went well
	info, err := fill(out, text)
	if closed := out.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(temp, f.path)
	}
	if err != nil {
		return stamp{}, f.failed("writing it", err)
	}
	syncFolder(filepath.Dir(f.path))
	return stampOf(info), nil
}

func fill(out *os.File, text []byte) (fs.FileInfo, error) {
	if _, err := out.Write(text); err != nil {
		return nil, err
	}
	if err := out.Sync(); err != nil {
		return nil, err
	}
	return out.Stat()
}

// syncFolder makes the new name last; where folders cannot be synced, the rename is all there is.
func syncFolder(folder string) {
	if d, err := os.Open(folder); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

// lock keeps other processes from writing until the returned function is called. The system
// drops it when a process dies.
func (f file) lock() (unlock func(), err error) {
	held, err := os.OpenFile(f.path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, f.failed("opening its lock", err)
	}
	for waited := time.Duration(0); ; waited += lockStep {
		switch err := tryLock(held); {
		case err == nil:
			return func() { _ = held.Close() }, nil
		case !errors.Is(err, errLocked) || waited >= f.wait:
			_ = held.Close()
			return nil, &FileError{Path: f.path, Err: fmt.Errorf("locking it: %w", err), next: "another bcdev is writing to it; try again, or end that one"}
		}
		time.Sleep(lockStep)
	}
}

var errLocked = errors.New("another process holds the lock")
