package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNgrokTokenIsFoundInBothFormats(t *testing.T) {
	for _, c := range []struct{ name, goos, place, text, want string }{
		{"version 2", "linux", ".config/ngrok/ngrok.yml", "version: 2\nauthtoken: tok_2\nregion: eu\n", "tok_2"},
		{"version 3", "linux", ".config/ngrok/ngrok.yml", "version: \"3\"\nagent:\n  authtoken: tok_3\n  api_key: no\n", "tok_3"},
		{"version as a number", "linux", ".config/ngrok/ngrok.yml", "version: 3\nagent: {authtoken: ' tok_3 '}\n", "tok_3"},
		{"both places", "linux", ".config/ngrok/ngrok.yml", "authtoken: old\nagent: {authtoken: new}\n", "new"},
		{"a token of digits", "linux", ".config/ngrok/ngrok.yml", "authtoken: 0123\n", "0123"},
		{"macOS", "darwin", "Library/Application Support/ngrok/ngrok.yml", "authtoken: mac\n", "mac"},
		{"Windows", "windows", "AppData/Local/ngrok/ngrok.yml", "authtoken: win\n", "win"},
		{"an old agent", "linux", ".ngrok2/ngrok.yml", "authtoken: older\n", "older"},
		{"an API key only", "linux", ".config/ngrok/ngrok.yml", "agent: {api_key: no}\n", ""},
		{"no file", "linux", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			home := t.TempDir()
			path := filepath.Join(home, filepath.FromSlash(c.place))
			if c.place != "" {
				write(t, path, c.text)
			}
			token, source, err := NgrokToken(nil, home, c.goos)
			if err != nil || token.Reveal() != c.want || (source == path) != (c.want != "") {
				t.Errorf("%q from %q, %v", token.Reveal(), source, err)
			}
		})
	}
}

func TestAnNgrokFileThatCannotBeReadIsAnError(t *testing.T) {
	for _, text := range []string{"authtoken: s3cr3t: [\n", "authtoken: 's3cr3t x'\n"} {
		home := t.TempDir()
		write(t, filepath.Join(home, ".config/ngrok/ngrok.yml"), text)
		token, source, err := NgrokToken(nil, home, "linux")
		if err == nil || token != "" || source == "" || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%q: %q from %q, %v", text, token.Reveal(), source, err)
		}
	}
}

func TestNgrokTokenAsksXDGFirst(t *testing.T) {
	home, xdg := t.TempDir(), t.TempDir()
	write(t, filepath.Join(home, ".config/ngrok/ngrok.yml"), "authtoken: home\n")
	write(t, filepath.Join(xdg, "ngrok/ngrok.yml"), "authtoken: xdg\n")
	if token, _, err := NgrokToken([]string{"XDG_CONFIG_HOME=" + xdg}, home, "linux"); token.Reveal() != "xdg" {
		t.Errorf("%q %v", token.Reveal(), err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestStateDir(t *testing.T) {
	for _, c := range []struct {
		name, flag, goos string
		env              map[string]string
		want             string
	}{
		{"the flag", "/flag", "linux", map[string]string{"BCDEV_STATE_DIR": "/env", "HOME": "/h"}, "/flag"},
		{"our variable", "", "linux", map[string]string{"BCDEV_STATE_DIR": "/env", "XDG_STATE_HOME": "/x", "HOME": "/h"}, "/env"},
		{"XDG", "", "linux", map[string]string{"XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/bcdev"},
		{"a relative XDG is ignored", "", "linux", map[string]string{"XDG_STATE_HOME": "x", "HOME": "/h"}, "/h/.local/state/bcdev"},
		{"macOS", "", "darwin", map[string]string{"HOME": "/h"}, "/h/Library/Application Support/bcdev"},
		{"Windows", "", "windows", map[string]string{"LOCALAPPDATA": "/l", "HOME": "/h"}, "/l/bcdev"},
		{"no home", "", "linux", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := stateDir(c.flag, c.env, c.goos)
			if filepath.ToSlash(got) != c.want || (err == nil) != (c.want != "") {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
		})
	}
}

func TestNearest(t *testing.T) {
	names := []string{"listen", "store", "headers", "client_header", "read_only"}
	for word, want := range map[string]string{"listn": "listen", "sotre": "store", "header": "headers", "readonly": "read_only", "zebra": "", "": ""} {
		if got := nearest(word, names); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
