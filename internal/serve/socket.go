package serve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"
)

// listenUnix opens a socket. The folder is what keeps others out between the moment the socket
// appears, with whatever the umask leaves, and the moment it is 0600; so the folder must be ours
// alone.
func listenUnix(addr, path string) (net.Listener, error) {
	fail := func(err error, next string) (net.Listener, error) {
		return nil, &AddrError{Addr: addr, Err: err, next: next}
	}
	if !filepath.IsAbs(path) {
		return fail(errors.New("the path of a socket must be absolute"), "write unix:///path/to/socket")
	}
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fail(err, "choose a folder of your own")
	}
	if err := private(folder); err != nil {
		return fail(err, fmt.Sprintf("choose a folder of its own for the socket, or: chmod 700 %s", folder))
	}
	if err := removeStale(path); err != nil {
		return fail(err, "choose another path, or stop what uses it")
	}
	l, err := bind("unix", path)
	if err != nil {
		return fail(cause(err), "choose another path (at most about 100 bytes)")
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return fail(err, "choose another folder")
	}
	return l, nil
}

// removeStale removes the socket that a killed program left. Anything else at the path stays,
// and so does a socket somebody answers at.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("there is a file at this path which is no socket; it was left alone")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err == nil {
		_ = c.Close()
		return errTaken
	}
	return os.Remove(path)
}
