// Package vault keeps one grant per store and is the only place a token leaves from.
package vault

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"bcdev/internal/bigcommerce"
	"bcdev/internal/redact"
)

// Options says where grants are kept and where tokens may go.
type Options struct {
	Dir       string // state folder; made 0700 when missing
	NoKeyring bool
	Static    []Static
	Default   string           // proxy.store: hash or alias, or ""
	Now       func() time.Time // nil means time.Now
	Hosts     []string         // host or host:port where a token may go
	Logger    *slog.Logger     // nil: silent
}

// Static is a token from the configuration.
type Static struct {
	Store, Alias string
	Token        redact.Secret
	ReadOnly     bool
}

// Entry is what may be shown of a grant.
type Entry struct {
	Hash, Alias               string
	Scopes                    []string
	User, Owner               bigcommerce.User
	At                        time.Time
	Where                     string
	Current, ReadOnly, Static bool
}

var (
	// ErrNoGrant means that no token is known for the store.
	ErrNoGrant = errors.New("no token for this store")
	// ErrWhichStore means that several stores are known and none was chosen.
	ErrWhichStore = errors.New("several stores are known and none is chosen")
)

// Vault keeps grants.
type Vault struct{}

func Open(o Options) (*Vault, error)                             { return &Vault{}, nil }
func (v *Vault) Close() error                                    { return nil }
func (v *Vault) Where() string                                   { return "" }
func (v *Vault) Put(g bigcommerce.Grant) error                   { return nil }
func (v *Vault) PutFor(code string, g bigcommerce.Grant) error   { return nil }
func (v *Vault) Remember(code string, g bigcommerce.Grant) error { return nil }
func (v *Vault) Spent(code string) (bigcommerce.Grant, bool)     { return bigcommerce.Grant{}, false }
func (v *Vault) Forget(store string) error                       { return nil }
func (v *Vault) Stores() []Entry                                 { return nil }
func (v *Vault) Use(store string) error                          { return nil }
func (v *Vault) Alias(store, alias string) error                 { return nil }
func (v *Vault) Resolve(name string) (hash string, ok bool)      { return "", false }
func (v *Vault) Current() (hash string, err error)               { return "", ErrNoGrant }
func (v *Vault) Authorize(r *http.Request) error                 { return ErrNoGrant }
func (v *Vault) Token(name string) (redact.Secret, error)        { return "", ErrNoGrant }
func (v *Vault) Granted(store string) []string                   { return nil }
func (v *Vault) Known() []string                                 { return nil }
func (v *Vault) Seal(plain []byte) ([]byte, error)               { return nil, nil }
func (v *Vault) Unseal(sealed []byte) ([]byte, error)            { return nil, nil }
