package config

import "bcdev/internal/redact"

// Options is what a configuration is made of.
type Options struct {
	File          string            // the file of --config, or "" to look for one
	Explicit      bool              // --config was given: the file must exist
	Env           []string          // NAME=value
	Flags         map[string]string // key path -> value, of the flags that were given
	AllowUpstream []string          // --allow-upstream: hosts named on the command line
	AllowLAN      bool              // --allow-lan
	Dir           string            // the working folder
	UserConfigDir string            // the user's configuration folder, without our own name
}

// Load makes the configuration. Its error is a [Problems].
func Load(o Options) (*Config, error) { c := Default(); return &c, nil }

// Problem is one thing wrong with the configuration.
type Problem struct {
	Key  string // "proxy.listen", "stores[0].hash"
	Line int    // 0 when it did not come from the file
	File string
	Text string
	Next string // what to do about it
	Code string // stable: "unknown_key", "bad_header", …
}

// Problems is everything wrong with the configuration.
type Problems []Problem

func (p Problems) Error() string { return "" }

// Hint says what to do next.
func (p Problems) Hint() string { return "" }

// NgrokToken reads the token of ngrok's own configuration file.
func NgrokToken(env []string, home, goos string) (token redact.Secret, source string, err error) {
	return "", "", nil
}

// StateDir returns the folder of journal and grants.
func StateDir(flag string, env []string) (string, error) { return "", nil }
