package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"bcdev/internal/bigcommerce"
	"bcdev/internal/redact"
)

const (
	maxCodes  = 200
	maxAnswer = 64 << 10 // bytes of a token answer that are kept
)

// sealVersion is the first byte of everything sealed: AES-256-GCM, 12-byte nonce, then the text.
const sealVersion = 1

// ErrSealed means that something was sealed under another key, or was changed since.
var ErrSealed = errors.New("sealed under another key, or damaged")

// Seal encrypts what must be kept but not be read from a file, such as codes and signed payloads
// of the journal. [Vault.Unseal] of this vault, in this or a later process, returns it.
func (v *Vault) Seal(plain []byte) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.refresh(); err != nil {
		return nil, err
	}
	if v.key == nil { // the first secret of this state folder
		if err := v.update(func(*state) error { return nil }); err != nil {
			return nil, err
		}
	}
	return seal(v.key, "journal", plain)
}

// Unseal is the inverse of Seal. Errors: ErrSealed.
func (v *Vault) Unseal(sealed []byte) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.refresh(); err != nil {
		return nil, err
	}
	return unseal(v.key, "journal", sealed)
}

// seal binds the text to its purpose, so that one sealed thing can't be put in another's place.
func seal(key []byte, purpose string, plain []byte) ([]byte, error) {
	aead, err := aeadOf(key)
	if err != nil {
		return nil, err
	}
	sealed := make([]byte, 1+aead.NonceSize(), 1+aead.NonceSize()+len(plain)+aead.Overhead())
	sealed[0] = sealVersion
	_, _ = rand.Read(sealed[1:]) // never fails: the program ends if there is no randomness
	return aead.Seal(sealed, sealed[1:], plain, []byte(purpose)), nil
}

func unseal(key []byte, purpose string, sealed []byte) ([]byte, error) {
	aead, err := aeadOf(key)
	if err != nil {
		return nil, ErrSealed
	}
	n := 1 + aead.NonceSize()
	if len(sealed) < n || sealed[0] != sealVersion {
		return nil, ErrSealed
	}
	plain, err := aead.Open(nil, sealed[1:n], sealed[n:], []byte(purpose))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

func aeadOf(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	return cipher.NewGCM(block)
}

// grant is a grant in the file: what may be read, and the rest sealed.
type grant struct {
	Store       string           `json:"store"`
	Context     string           `json:"context"`
	Scopes      []string         `json:"scopes"`
	User        bigcommerce.User `json:"user"`
	Owner       bigcommerce.User `json:"owner,omitzero"`
	AccountUUID string           `json:"account_uuid,omitempty"`
	At          time.Time        `json:"at"`
	Sealed      []byte           `json:"sealed"`
}

// secrets is what is sealed of a grant.
type secrets struct {
	Token  string `json:"token"`
	Answer []byte `json:"answer,omitempty"`
}

// code is a spent authorization code, by its hash, and what it bought.
type code struct {
	SHA256 string `json:"sha256"`
	Grant  grant  `json:"grant"`
}

func hashOf(code string) string {
	sum := sha256.Sum256([]byte(code))
	return hex.EncodeToString(sum[:])
}

func (v *Vault) closeGrant(g bigcommerce.Grant) (grant, error) {
	if !storeHash.MatchString(g.Store) {
		return grant{}, &StoreError{Store: g.Store, Err: errors.New("not a store hash: 1 to 32 lower-case letters and digits"), next: "see the context of the auth callback: stores/{hash}"}
	}
	if g.Token == "" {
		return grant{}, &StoreError{Store: g.Store, Err: errors.New("the grant holds no token"), next: "install the app again"}
	}
	s := secrets{Token: g.Token.Reveal()}
	if len(g.Answer) <= maxAnswer {
		s.Answer = []byte(g.Answer.Reveal())
	}
	plain, err := json.Marshal(s)
	if err != nil {
		return grant{}, fmt.Errorf("keeping the grant: %w", err)
	}
	sealed, err := seal(v.key, "grant "+g.Store, plain)
	if g.At.IsZero() {
		g.At = v.o.Now()
	}
	return grant{g.Store, g.Context, slices.Clone(g.Scopes), g.User, g.Owner, g.AccountUUID, g.At, sealed}, err
}

func (v *Vault) openGrant(g grant) (bigcommerce.Grant, error) {
	plain, err := unseal(v.key, "grant "+g.Store, g.Sealed)
	if err != nil {
		return bigcommerce.Grant{}, v.file.damaged("the grant of store "+g.Store+" cannot be opened", err)
	}
	var s secrets
	if err := json.Unmarshal(plain, &s); err != nil {
		return bigcommerce.Grant{}, v.file.damaged("the grant of store "+g.Store+" cannot be read", err)
	}
	return bigcommerce.Grant{
		Store: g.Store, Context: g.Context, Scopes: slices.Clone(g.Scopes), User: g.User, Owner: g.Owner,
		AccountUUID: g.AccountUUID, At: g.At, Token: redact.Secret(s.Token), Answer: redact.Secret(s.Answer),
	}, nil
}

func (v *Vault) keep(s *state, g bigcommerce.Grant) error {
	sealed, err := v.closeGrant(g)
	if err != nil {
		return err
	}
	if s.Grants == nil {
		s.Grants = map[string]*grant{}
	}
	s.Grants[g.Store] = &sealed
	return nil
}

func (v *Vault) remember(s *state, spent string, g bigcommerce.Grant) error {
	sealed, err := v.closeGrant(g)
	if err != nil {
		return err
	}
	sum := hashOf(spent)
	s.Codes = slices.DeleteFunc(s.Codes, func(c code) bool { return c.SHA256 == sum })
	s.Codes = append(s.Codes, code{sum, sealed})
	if over := len(s.Codes) - maxCodes; over > 0 {
		s.Codes = slices.Delete(s.Codes, 0, over)
	}
	return nil
}
