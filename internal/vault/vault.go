// Package vault keeps one grant per store and is the only place a token leaves from.
//
// Everything lies in one file, vault.json, 0600, in the state folder. What is secret in it is
// sealed with AES-256-GCM under a random key. The key is in the system keyring where there is
// one; else it is in the file itself, and the file's mode is the protection.
package vault

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"bcdev/internal/bigcommerce"
	"bcdev/internal/redact"
)

// Options says where grants are kept and where tokens may go.
type Options struct {
	Dir       string // state folder; made 0700 when missing
	NoKeyring bool   // keep the key in the file although there may be a keyring
	Keyring   Keyring
	Static    []Static
	Default   string           // proxy.store: hash or alias, or ""
	Now       func() time.Time // nil means time.Now
	Hosts     []string         // host:port, or host for port 443, where a token may go
	Logger    *slog.Logger     // nil: silent
}

// Static is a token from the configuration.
//
// A store may have both, a static token and a grant of an install. The grant is used then: it
// belongs to the app that is being developed, and is newer. Alias and read-only of the static
// entry hold all the same, and when the grant is forgotten the static token is used again.
type Static struct {
	Store, Alias string
	Token        redact.Secret
	ReadOnly     bool
}

// Entry is what may be shown of a grant.
type Entry struct {
	Hash, Alias               string
	Scopes                    []string // nil for a static token: nobody told
	User, Owner               bigcommerce.User
	At                        time.Time
	Where                     string // "the system keyring", a file's path, or "the configuration"
	Current, ReadOnly, Static bool
}

// Vault keeps grants. It is safe for concurrent use, and sees what other processes change.
type Vault struct {
	o     Options
	file  file
	ring  *ring
	hosts []string

	mu    sync.Mutex
	state *state
	stamp stamp                    // of the file that state was read from
	key   []byte                   // 32 bytes; nil until there is one
	known map[string]bool          // every token seen, for scrubbing
	open  map[string]redact.Secret // the tokens of state's grants
}

// Open opens the vault of a state folder. A file that others can read, that is not ours, or that
// is damaged is an error with a hint (*FileError), and stays as it is.
func Open(o Options) (*Vault, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	v := &Vault{o: o, file: file{filepath.Join(o.Dir, "vault.json"), lockTime}, known: map[string]bool{}}
	v.ring = newRing(o.Keyring)
	for _, h := range o.Hosts {
		v.hosts = append(v.hosts, withPort(h, "443"))
	}
	for _, s := range o.Static {
		v.known[s.Token.Reveal()] = true
	}
	if err := v.file.makeFolder(); err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.refresh(); err != nil {
		return nil, err
	}
	return v, nil
}

// Close forgets what is in memory.
func (v *Vault) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	clear(v.key)
	v.key, v.state, v.stamp, v.open = nil, nil, stamp{}, nil
	return nil
}

// Where says what keeps the grants: "the system keyring", or the file's path.
func (v *Vault) Where() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	_ = v.refresh()
	return v.where()
}

func (v *Vault) where() string {
	if v.usesKeyring() {
		return "the system keyring"
	}
	return v.file.path
}

// usesKeyring: the file says so once it exists; before, the keyring is asked whether it is there.
func (v *Vault) usesKeyring() bool {
	if v.state != nil && v.state.Key != (keyPlace{}) {
		return v.state.Key.Keyring != ""
	}
	return !v.o.NoKeyring && v.ring.works()
}

// Put keeps g as the grant of its store and replaces the one before.
func (v *Vault) Put(g bigcommerce.Grant) error { return v.PutFor("", g) }

// PutFor is Put and Remember in one step, so that no crash can come between them. An empty code
// is not remembered.
func (v *Vault) PutFor(code string, g bigcommerce.Grant) error {
	return v.change(func(s *state) error {
		if err := v.keep(s, g); err != nil || code == "" {
			return err
		}
		return v.remember(s, code, g)
	})
}

// Remember keeps g as what a code bought, for an app that spends the same code again. Of the
// code itself only a hash is kept; the last 200 are.
func (v *Vault) Remember(code string, g bigcommerce.Grant) error {
	return v.change(func(s *state) error { return v.remember(s, code, g) })
}

// Spent returns what a code bought.
func (v *Vault) Spent(code string) (bigcommerce.Grant, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.refresh() != nil {
		return bigcommerce.Grant{}, false
	}
	sum := hashOf(code)
	for _, c := range v.state.Codes {
		if c.SHA256 == sum {
			g, err := v.openGrant(c.Grant)
			return g, err == nil
		}
	}
	return bigcommerce.Grant{}, false
}

// Forget removes the grant of a store, and what its codes bought. A static token is not the
// vault's to forget.
func (v *Vault) Forget(store string) error {
	return v.change(func(s *state) error {
		hash, ok := v.resolve(store)
		if !ok || s.Grants[hash] == nil {
			if v.static(hash) != nil {
				return &StoreError{Store: store, Err: ErrStatic, next: "remove it from stores in the configuration"}
			}
			return v.noGrant(store)
		}
		delete(s.Grants, hash)
		delete(s.Aliases, hash)
		s.Codes = slices.DeleteFunc(s.Codes, func(c code) bool { return c.Grant.Store == hash })
		if s.Current == hash {
			s.Current = ""
		}
		return nil
	})
}

// Stores lists every known store, by hash.
func (v *Vault) Stores() []Entry {
	v.mu.Lock()
	defer v.mu.Unlock()
	_ = v.refresh()
	current, _ := v.current()
	var all []Entry
	for _, hash := range v.hashes() {
		e := Entry{Hash: hash, Alias: v.alias(hash), Current: hash == current}
		if s := v.static(hash); s != nil {
			e.Static, e.ReadOnly, e.Where = true, s.ReadOnly, "the configuration"
		}
		if g := v.grant(hash); g != nil {
			e.Static, e.Where = false, v.where()
			e.Scopes, e.User, e.Owner, e.At = slices.Clone(g.Scopes), g.User, g.Owner, g.At
		}
		all = append(all, e)
	}
	return all
}

// Use makes a store the current one, for this and later runs. It is an error while proxy.store
// of the configuration names another: that one would win, and the call would do nothing.
func (v *Vault) Use(store string) error {
	return v.change(func(s *state) error {
		hash, ok := v.resolve(store)
		if !ok {
			return v.noGrant(store)
		}
		if pinned, _ := v.resolve(v.o.Default); v.o.Default != "" && pinned != hash {
			return &StoreError{Store: store, Err: ErrPinned, next: "change or remove proxy.store"}
		}
		s.Current = hash
		return nil
	})
}

// Alias gives a store a name of its own; an empty one takes it away.
func (v *Vault) Alias(store, alias string) error {
	return v.change(func(s *state) error {
		hash, ok := v.resolve(store)
		if !ok {
			return v.noGrant(store)
		}
		if alias == "" {
			delete(s.Aliases, hash)
			return nil
		}
		if !aliasForm.MatchString(alias) {
			return &StoreError{Store: store, Err: fmt.Errorf("%w: it may have up to 64 letters, digits, - and _", ErrAlias), next: "e.g. dev"}
		}
		if other, taken := v.resolve(alias); taken && other != hash {
			return &StoreError{Store: store, Err: fmt.Errorf("%w: another store has this name", ErrAlias), next: "choose another one"}
		}
		if s.Aliases == nil {
			s.Aliases = map[string]string{}
		}
		s.Aliases[hash] = alias
		return nil
	})
}

// Resolve finds the hash of a known store by hash or alias.
func (v *Vault) Resolve(name string) (hash string, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	_ = v.refresh()
	return v.resolve(name)
}

// Current returns the store that /v3/… means: the one of proxy.store, else the one chosen by
// [Vault.Use], else the only one. Errors: ErrNoGrant, ErrWhichStore.
func (v *Vault) Current() (hash string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.refresh(); err != nil {
		return "", err
	}
	return v.current()
}

// Token returns the token of a store; an empty name means the current one.
func (v *Vault) Token(name string) (redact.Secret, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.refresh(); err != nil {
		return "", err
	}
	hash, ok := v.resolve(name)
	if name == "" {
		var err error
		if hash, err = v.current(); err != nil {
			return "", err
		}
	} else if !ok {
		return "", v.noGrant(name)
	}
	return v.token(hash)
}

// Granted returns the scopes of a store's grant, or nil when nobody told.
func (v *Vault) Granted(store string) []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	_ = v.refresh()
	hash, _ := v.resolve(store)
	if g := v.grant(hash); g != nil {
		return slices.Clone(g.Scopes)
	}
	return nil
}

// Known returns every token this vault has seen, replaced ones included, so that they can be
// taken out of whatever is shown or stored.
func (v *Vault) Known() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	_ = v.refresh()
	all := make([]string, 0, len(v.known))
	for token := range v.known {
		if token != "" {
			all = append(all, token)
		}
	}
	slices.Sort(all)
	return all
}
