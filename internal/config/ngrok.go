package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"gopkg.in/yaml.v3"

	"bcdev/internal/redact"
)

// NgrokToken reads the authtoken that the ngrok agent keeps in its own configuration file, in
// both formats: version 2 has it at the top, version 3 below "agent" (ngrok docs, Agent
// configuration file). source is the file's path. No file and no token in it are no error; a
// file that cannot be read is one, and the error holds nothing of the file.
func NgrokToken(env []string, home, goos string) (token redact.Secret, source string, err error) {
	for _, path := range ngrokFiles(environment(env), home, goos) {
		text, err := readRegular(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", path, fmt.Errorf("reading ngrok's configuration %s: %s", path, reason(err))
		}
		var file struct {
			Authtoken yaml.Node `yaml:"authtoken"`
			Agent     struct {
				Authtoken yaml.Node `yaml:"authtoken"`
			} `yaml:"agent"`
		}
		if yaml.Unmarshal(text, &file) != nil {
			return "", path, fmt.Errorf("reading ngrok's configuration %s: it is not valid YAML", path)
		}
		for _, n := range []yaml.Node{file.Agent.Authtoken, file.Authtoken} {
			if n.Kind != yaml.ScalarNode || n.Value == "" {
				continue
			}
			token, err := Credential(n.Value)
			if err != nil {
				return "", path, fmt.Errorf("reading ngrok's configuration %s: the authtoken %w", path, err)
			}
			return token, path, nil
		}
	}
	return "", "", nil
}

// ngrokFiles lists where the agent looks, newest place first.
func ngrokFiles(env map[string]string, home, goos string) []string {
	var files []string
	add := func(folder string, rest ...string) {
		if folder != "" {
			files = append(files, filepath.Join(append([]string{folder}, rest...)...))
		}
	}
	switch goos {
	case "darwin":
		add(home, "Library", "Application Support", "ngrok", "ngrok.yml")
	case "windows":
		add(env["LOCALAPPDATA"], "ngrok", "ngrok.yml")
		if env["LOCALAPPDATA"] == "" {
			add(home, "AppData", "Local", "ngrok", "ngrok.yml")
		}
	default:
		add(env["XDG_CONFIG_HOME"], "ngrok", "ngrok.yml")
		add(home, ".config", "ngrok", "ngrok.yml")
	}
	add(home, ".ngrok2", "ngrok.yml")
	return files
}
