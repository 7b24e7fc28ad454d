package cli

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"
)

// watchInterval is how often watched files are looked at; editors save by rename, so the newest
// time of change is compared and no handle is kept.
const watchInterval = 300 * time.Millisecond

// watchMost bounds how many files are looked at.
const watchMost = 20_000

// watchFiles calls changed whenever a file below path is saved, until ctx ends.
func watchFiles(ctx context.Context, path string, changed func()) error {
	last, err := newest(path)
	if err != nil {
		return failed("name a file or folder that is there", "watching %s: %w", path, err)
	}
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now, err := newest(path)
		if err == nil && now != last { // a file that is being replaced may be missing for a moment
			last = now
			changed()
		}
	}
}

// snapshot is what tells one state of a tree from another.
type snapshot struct {
	newest time.Time
	files  int
}

func newest(root string) (snapshot, error) {
	var s snapshot
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if path == root {
				return err
			}
			return nil
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if d.IsDir() {
			return nil
		}
		if s.files++; s.files > watchMost {
			return fmt.Errorf("more than %d files", watchMost)
		}
		if info, err := d.Info(); err == nil && info.ModTime().After(s.newest) {
			s.newest = info.ModTime()
		}
		return nil
	})
	return s, err
}
