package config

import (
	"errors"
	"path/filepath"
	"runtime"
)

// StateDir returns the folder of journal and grants as an absolute path, without making it:
// --state-dir, else BCDEV_STATE_DIR, else $XDG_STATE_HOME/bcdev, else the system's usual place.
func StateDir(flag string, env []string) (string, error) {
	return stateDir(flag, environment(env), runtime.GOOS)
}

func stateDir(flag string, env map[string]string, goos string) (string, error) {
	for _, chosen := range []string{flag, env["BCDEV_STATE_DIR"]} {
		if chosen != "" {
			return filepath.Abs(chosen)
		}
	}
	// A relative path there is to be ignored (XDG Base Directory Specification).
	if xdg := env["XDG_STATE_HOME"]; filepath.IsAbs(xdg) {
		return filepath.Join(xdg, "bcdev"), nil
	}
	home := env["HOME"]
	switch {
	case goos == "windows" && env["LOCALAPPDATA"] != "":
		return filepath.Join(env["LOCALAPPDATA"], "bcdev"), nil
	case goos == "windows" && env["USERPROFILE"] != "":
		return filepath.Join(env["USERPROFILE"], "AppData", "Local", "bcdev"), nil
	case goos == "darwin" && home != "":
		return filepath.Join(home, "Library", "Application Support", "bcdev"), nil
	case goos != "windows" && home != "":
		return filepath.Join(home, ".local", "state", "bcdev"), nil
	}
	return "", noHome{errors.New("finding the state folder: the environment names no home folder")}
}

type noHome struct{ error }

// Hint says what to do next.
func (noHome) Hint() string { return "set HOME, or name a folder with --state-dir" }
