package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
	"bcdev/internal/config"
	"bcdev/internal/console"
	"bcdev/internal/vault"
)

// withVault runs a command on the grants of this machine.
func (p *program) withVault(do func(*config.Config, *vault.Vault) error) error {
	cfg, err := p.config(nil)
	if err != nil {
		return err
	}
	dir, err := p.state()
	if err != nil {
		return err
	}
	joinRunning(cfg, dir)
	v, err := p.openVault(cfg, dir)
	if err != nil {
		return err
	}
	return errors.Join(storeError(v, do(cfg, v)), v.Close())
}

// storeError adds to an error about a store what stores there are.
func storeError(v *vault.Vault, err error) error {
	if !errors.Is(err, vault.ErrNoGrant) && !errors.Is(err, vault.ErrWhichStore) {
		return err
	}
	var names []string
	for _, e := range v.Stores() {
		names = append(names, e.Hash)
	}
	if len(names) == 0 {
		return &exitError{exitFailed, err, "install the app on a store while \"bcdev up\" runs, or put a store-level token in stores of the configuration"}
	}
	return &exitError{exitFailed, err, "known stores: " + strings.Join(names, ", ") + "; choose one with \"bcdev stores use STORE\""}
}

func (p *program) storesCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "stores", Short: "The stores that there is a grant for", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return p.withVault(func(_ *config.Config, v *vault.Vault) error { return p.listStores(v) })
		},
	}
	c.AddCommand(
		&cobra.Command{
			Use: "use STORE", Short: "Choose what /v3/... means", Args: cobra.ExactArgs(1),
			RunE: func(_ *cobra.Command, args []string) error { return p.useStore(args[0]) },
		},
		&cobra.Command{
			Use: "alias STORE NAME", Short: "Give a store a name of your own", Args: cobra.ExactArgs(2),
			RunE: func(_ *cobra.Command, args []string) error { return p.aliasStore(args[0], args[1]) },
		},
		&cobra.Command{
			Use: "forget STORE", Short: "Forget a store's grant; the app stays installed", Args: cobra.ExactArgs(1),
			RunE: func(_ *cobra.Command, args []string) error { return p.forgetStore(args[0]) },
		},
	)
	return c
}

func (p *program) listStores(v *vault.Vault) error {
	con := p.console()
	quotas := p.lastQuotas(v.Stores())
	var rows []console.StoreRow
	for _, e := range v.Stores() {
		token, err := v.Token(e.Hash)
		if err != nil {
			return fmt.Errorf("reading the grant of %s: %w", e.Hash, err)
		}
		rows = append(rows, console.StoreRow{
			Hash: e.Hash, Alias: e.Alias, Scopes: e.Scopes, User: e.User.Email, At: e.At,
			Where: e.Where, Token: token, Current: e.Current, Quota: quotas[e.Hash],
		})
	}
	con.Stores(rows)
	return con.Err()
}

const (
	quotaDepth  = 20               // calls that are looked through for the last word about the quota
	quotaWindow = 30 * time.Second // BigCommerce's, where an answer does not name it
)

// lastQuotas are the rate limits that the stores' last answers told of, as far as the journal has
// one from the current window.
func (p *program) lastQuotas(stores []vault.Entry) map[string]*bigcommerce.Quota {
	quotas := map[string]*bigcommerce.Quota{}
	dir, err := p.state()
	if err != nil {
		return quotas
	}
	journal, err := capture.Open(filepath.Join(dir, journalFile), capture.Options{ReadOnly: true, Logger: p.logger()})
	if err != nil {
		return quotas // no journal yet: nothing was asked
	}
	defer func() { _ = journal.Close() }() // only read
	for _, e := range stores {
		last, err := journal.Find(context.Background(), capture.Query{Door: capture.API, Store: e.Hash, Limit: quotaDepth})
		if err != nil {
			continue
		}
		quotas[e.Hash] = lastQuota(last, time.Now())
	}
	return quotas
}

// lastQuota is what the last of calls, newest first, tells of the current window; not every
// answer tells of it.
func lastQuota(calls []capture.Exchange, now time.Time) *bigcommerce.Quota {
	for _, call := range calls {
		q, ok := bigcommerce.ParseQuota(call.Response.Header)
		if !ok {
			continue
		}
		if now.Sub(call.At) < max(q.Window, q.Reset, quotaWindow) {
			return &q
		}
		return nil
	}
	return nil
}

func (p *program) useStore(name string) error {
	return p.withVault(func(_ *config.Config, v *vault.Vault) error {
		hash, err := known(v, name)
		if err != nil {
			return err
		}
		if err := v.Use(hash); err != nil {
			return err
		}
		p.console().Notef("/v3/... now means store %s", hash)
		return nil
	})
}

func (p *program) aliasStore(name, alias string) error {
	return p.withVault(func(_ *config.Config, v *vault.Vault) error {
		hash, err := known(v, name)
		if err != nil {
			return err
		}
		if err := v.Alias(hash, alias); err != nil {
			return err
		}
		p.console().Notef("/stores/%s/... now means store %s", alias, hash)
		return nil
	})
}

func (p *program) forgetStore(name string) error {
	return p.withVault(func(_ *config.Config, v *vault.Vault) error {
		hash, err := known(v, name)
		if err != nil {
			return err
		}
		if err := v.Forget(hash); err != nil {
			return err
		}
		p.console().Notef("the grant of store %s is gone from %s; BigCommerce still honours the token until the app is uninstalled", hash, v.Where())
		return nil
	})
}

// known is the hash of a store by hash or alias.
func known(v *vault.Vault, name string) (string, error) {
	if hash, ok := v.Resolve(name); ok {
		return hash, nil
	}
	return "", fmt.Errorf("store %q: %w", name, vault.ErrNoGrant)
}

// chosen is the store that a command means: the one that is named, else the current one.
func chosen(v *vault.Vault, args []string) (string, error) {
	if len(args) > 0 {
		return known(v, args[0])
	}
	return v.Current()
}

func (p *program) tokenCommand() *cobra.Command {
	return &cobra.Command{
		Use: "token [STORE]", Short: "Print a store's access token, and nothing else", Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return p.withVault(func(_ *config.Config, v *vault.Vault) error {
				hash, err := chosen(v, args)
				if err != nil {
					return err
				}
				token, err := v.Token(hash)
				if err != nil {
					return err
				}
				if isTerminal(p.Out) {
					p.console().Notef("this is the key to store %s: whoever reads it over your shoulder has it too", hash)
				}
				_, err = fmt.Fprintln(p.Out, token.Reveal())
				return err
			})
		},
	}
}
