package cli

import (
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"bcdev/internal/config"
)

// settings are flags that stand for a key of the configuration: flag > environment > file.
type settings struct {
	flags *pflag.FlagSet
	keys  map[string]string // flag name -> key
}

func newSettings(c *cobra.Command) *settings {
	return &settings{flags: c.Flags(), keys: map[string]string{}}
}

// text adds a flag for a key that holds text.
func (s *settings) text(flag, key, about string) {
	s.flags.String(flag, "", about+" ("+key+")")
	s.keys[flag] = key
}

// toggle adds a flag for a key that holds yes or no.
func (s *settings) toggle(flag, key, about string) {
	s.flags.Bool(flag, false, about+" ("+key+")")
	s.keys[flag] = key
}

// given returns the keys that the command line sets.
func (s *settings) given() map[string]string {
	values := map[string]string{}
	s.flags.Visit(func(f *pflag.Flag) {
		if key, ok := s.keys[f.Name]; ok {
			values[key] = f.Value.String()
		}
	})
	return values
}

// configured are the parts of the command line that decide how the configuration is read.
type configured struct {
	values        map[string]string
	allowUpstream []string
	allowLAN      bool
}

// config loads the configuration of this run.
func (p *program) config(c *configured) (*config.Config, error) {
	if c == nil {
		c = &configured{}
	}
	file := p.configFile
	if file == "" {
		file = p.demoFile()
	}
	return config.Load(config.Options{
		File: file, Explicit: file != "", Env: p.Env, Flags: c.values,
		AllowUpstream: c.allowUpstream, AllowLAN: c.allowLAN, Dir: p.Dir, UserConfigDir: p.userConfigDir(),
	})
}

// readNamed reads a file that a key of the configuration names. Loading made its path absolute.
func readNamed(name, key string) ([]byte, error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, misused("create it, or take "+key+" out of the configuration", "%s: there is no file %s", key, name)
	}
	if err != nil {
		return nil, misused("make it readable for you", "%s: %w", key, err)
	}
	return b, nil
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
