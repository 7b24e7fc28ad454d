package vault

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"bcdev/internal/redact"
)

// Errors that callers tell apart. They come wrapped in a *StoreError, which has a hint.
var (
	ErrNoGrant    = errors.New("no token for this store")
	ErrWhichStore = errors.New("several stores are known and none is chosen")
	ErrStatic     = errors.New("the token of this store comes from the configuration")
	ErrPinned     = errors.New("proxy.store of the configuration names another store")
	ErrAlias      = errors.New("this alias cannot be used")
)

// StoreError is an error about a store.
type StoreError struct {
	Store string // hash or alias as it was asked for; may be a stranger's
	Err   error
	next  string
}

func (e *StoreError) Error() string {
	if e.Store == "" {
		return e.Err.Error()
	}
	return fmt.Sprintf("store %q: %v", redact.Terminal(e.Store), e.Err)
}

// Unwrap returns the cause.
func (e *StoreError) Unwrap() error { return e.Err }

// Hint says what to do next.
func (e *StoreError) Hint() string { return e.next }

var (
	storeHash = regexp.MustCompile(`^[a-z0-9]{1,32}$`)
	aliasForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)
)

func (v *Vault) noGrant(store string) error {
	next := "install the app in a store, or add a token to stores in the configuration"
	if known := v.hashes(); len(known) > 0 {
		next = "known stores: " + strings.Join(known, ", ") + "; install the app in this one, or add its token to stores in the configuration"
	}
	return &StoreError{Store: store, Err: ErrNoGrant, next: next}
}

// hashes lists the known stores.
func (v *Vault) hashes() []string {
	all := map[string]bool{}
	for _, s := range v.o.Static {
		all[s.Store] = true
	}
	if v.state != nil {
		for hash := range v.state.Grants {
			all[hash] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// grant returns what the file has of a store, or nil.
func (v *Vault) grant(hash string) *grant {
	if v.state == nil {
		return nil
	}
	return v.state.Grants[hash]
}

func (v *Vault) static(hash string) *Static {
	for i, s := range v.o.Static {
		if s.Store == hash {
			return &v.o.Static[i]
		}
	}
	return nil
}

// alias: what the user said on the command line goes before the configuration.
func (v *Vault) alias(hash string) string {
	if v.state != nil && v.state.Aliases[hash] != "" {
		return v.state.Aliases[hash]
	}
	if s := v.static(hash); s != nil {
		return s.Alias
	}
	return ""
}

// resolve finds a known store. A hash goes before an alias, so that no alias can take the place
// of a store that is installed later.
func (v *Vault) resolve(name string) (hash string, ok bool) {
	if name == "" {
		return "", false
	}
	known := v.hashes()
	if slices.Contains(known, name) {
		return name, true
	}
	for _, hash := range known {
		if v.alias(hash) == name {
			return hash, true
		}
	}
	return "", false
}

func (v *Vault) current() (string, error) {
	known := v.hashes()
	if v.o.Default != "" {
		if hash, ok := v.resolve(v.o.Default); ok {
			return hash, nil
		}
		return "", v.noGrant(v.o.Default)
	}
	switch {
	case v.state != nil && slices.Contains(known, v.state.Current):
		return v.state.Current, nil
	case len(known) == 1:
		return known[0], nil
	case len(known) == 0:
		return "", v.noGrant("")
	}
	return "", &StoreError{Err: ErrWhichStore, next: "name it in the path (/stores/{hash}/v3/…), or choose one: bcdev stores use " + known[0]}
}

// token returns the token of a known store: the grant's, else the configuration's.
func (v *Vault) token(hash string) (redact.Secret, error) {
	if g := v.grant(hash); g != nil {
		if token, ok := v.open[hash]; ok {
			return token, nil
		}
		_, err := v.openGrant(*g)
		return "", err
	}
	if s := v.static(hash); s != nil && s.Token != "" {
		return s.Token, nil
	}
	return "", v.noGrant(hash)
}
