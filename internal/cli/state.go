package cli

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"bcdev/capture"
	"bcdev/internal/config"
	"bcdev/internal/redact"
	"bcdev/internal/vault"
)

// The files of the state folder that cli itself keeps; vault and journal know their own.
const journalFile = "journal.db"

// state is the state folder of this run.
func (p *program) state() (string, error) {
	dir, err := config.StateDir(p.stateDir, p.Env)
	if err != nil {
		return "", misused("name a folder with --state-dir", "finding the state folder: %w", err)
	}
	return dir, nil
}

// logger writes diagnostics to stderr when they were asked for.
func (p *program) logger() *slog.Logger {
	if !p.verbose {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(p.Err, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: maskAttr}))
}

// addressed is a word with a query, as it stands in an error or in a library's own line.
var addressed = regexp.MustCompile(`[^\s"']+\?[^\s"']+`)

// maskAttr takes the secrets of URLs out of a line of the log, whoever wrote it.
func maskAttr(_ []string, a slog.Attr) slog.Attr {
	text := ""
	switch err, isError := a.Value.Any().(error); {
	case isError:
		text = err.Error()
	case a.Value.Kind() == slog.KindString:
		text = a.Value.String()
	default:
		return a
	}
	a.Value = slog.StringValue(addressed.ReplaceAllStringFunc(text, func(url string) string {
		masked, _ := redact.Target(url)
		return masked
	}))
	return a
}

// openVault opens the grants that belong to a configuration.
func (p *program) openVault(cfg *config.Config, dir string) (*vault.Vault, error) {
	hosts, err := signedHosts(cfg)
	if err != nil {
		return nil, err
	}
	static := make([]vault.Static, 0, len(cfg.Stores))
	for _, s := range cfg.Stores {
		static = append(static, vault.Static{Store: s.Hash, Alias: s.Alias, Token: s.Token, ReadOnly: s.ReadOnly})
	}
	v, err := vault.Open(vault.Options{
		Dir: dir, NoKeyring: p.private || lookup(p.Env, "BCDEV_NO_KEYRING") != "", Static: static, Default: cfg.Proxy.Store,
		Hosts: hosts, Logger: p.logger(),
	})
	if err != nil {
		return nil, fmt.Errorf("opening the vault: %w", err)
	}
	return v, nil
}

// openJournal opens the journal for writing, its secrets sealed by the vault.
func openJournal(cfg *config.Config, dir string, v *vault.Vault, problem func(string, error), log *slog.Logger) (*capture.Journal, error) {
	j, err := capture.Open(filepath.Join(dir, journalFile), capture.Options{
		BodyLimit:     cfg.Capture.BodyLimit,
		KeepExchanges: cfg.Capture.KeepExchanges,
		KeepFor:       time.Duration(cfg.Capture.KeepDays) * 24 * time.Hour,
		KeepBytes:     cfg.Capture.KeepBytes,
		Seal:          v.Seal, Unseal: v.Unseal,
		Known:  func() []string { return append(v.Known(), cfg.App.ClientSecret.Reveal()) },
		Notice: func(err error) { problem("journal", err) },
		Logger: log,
	})
	if err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	return j, nil
}

// keepKey reads a key of ours from file, or makes one.
func keepKey(file string) (string, error) {
	kept, err := os.ReadFile(file)
	if key := strings.TrimSpace(string(kept)); err == nil && len(key) >= 22 {
		return key, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading a key: %w", err)
	}
	raw := make([]byte, 24)
	_, _ = rand.Read(raw) // never fails: crypto/rand
	key := base64.RawURLEncoding.EncodeToString(raw)
	if err := writePrivate(file, []byte(key+"\n")); err != nil {
		return "", fmt.Errorf("keeping a key: %w", err)
	}
	return key, nil
}

// writePrivate replaces file by rename, readable by this person alone.
func writePrivate(file string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*") // made 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already when the rename went well
	if _, err := f.Write(content); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}

func lookup(env []string, name string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if key, value, ok := strings.Cut(env[i], "="); ok && key == name {
			return value
		}
	}
	return ""
}

// reader is what a command needs that looks at the journal while another process may write it.
type reader struct {
	cfg     *config.Config
	vault   *vault.Vault
	journal *capture.Journal
	log     *slog.Logger
}

func (r *reader) close() {
	if err := errors.Join(r.journal.Close(), r.vault.Close()); err != nil {
		r.log.Warn("closing the journal", "error", err)
	}
}

// openReader opens configuration, vault and journal for a command beside a running bcdev.
func (p *program) openReader(_ context.Context, readOnly bool) (*reader, error) {
	cfg, err := p.config(nil)
	if err != nil {
		return nil, err
	}
	dir, err := p.state()
	if err != nil {
		return nil, err
	}
	joinRunning(cfg, dir)
	file := filepath.Join(dir, journalFile)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) && readOnly {
		return nil, failed("run \"bcdev up\" or \"bcdev demo\" first, or name its folder with --state-dir",
			"there is no journal in %s", dir)
	}
	v, err := p.openVault(cfg, dir)
	if err != nil {
		return nil, err
	}
	j, err := capture.Open(file, capture.Options{
		ReadOnly: readOnly, Seal: v.Seal, Unseal: v.Unseal, Logger: p.logger(),
		Known: func() []string { return append(v.Known(), cfg.App.ClientSecret.Reveal()) },
	})
	if err != nil {
		return nil, fmt.Errorf("opening the journal: %w", errors.Join(err, v.Close()))
	}
	return &reader{cfg, v, j, p.logger()}, nil
}
