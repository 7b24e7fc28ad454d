package vault

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"bcdev/internal/redact"
)

// fileVersion is the form of vault.json. An older program must not write a newer file.
const fileVersion = 1

// state is the content of vault.json.
type state struct {
	Version int               `json:"version"`
	Key     keyPlace          `json:"key"`
	Current string            `json:"current,omitempty"`
	Aliases map[string]string `json:"aliases,omitempty"`
	Grants  map[string]*grant `json:"grants,omitempty"`
	Codes   []code            `json:"codes,omitempty"`
}

// keyPlace says where the key is: an entry of the keyring, or here.
type keyPlace struct {
	Keyring string `json:"keyring,omitempty"`
	Raw     string `json:"raw,omitempty"` // base64
}

// refresh reads the file again when another process has changed it. The lock is held.
func (v *Vault) refresh() error {
	now, err := v.file.stamp()
	if err != nil {
		return err
	}
	if v.state != nil && now == v.stamp {
		return nil
	}
	return v.read()
}

// read reads the file, and the key where the file says it is.
func (v *Vault) read() error {
	text, at, err := v.file.read()
	if errors.Is(err, fs.ErrNotExist) {
		v.state, v.stamp, v.key, v.open = &state{Version: fileVersion}, stamp{}, nil, nil
		return nil
	}
	if err != nil {
		return err
	}
	s, err := v.parse(text)
	if err != nil {
		return err
	}
	key, err := v.loadKey(s.Key)
	if err != nil {
		return err
	}
	v.state, v.stamp, v.key = s, at, key
	v.learn()
	return nil
}

// parse reads a file that may have been damaged, cut off or edited.
func (v *Vault) parse(text []byte) (*state, error) {
	var s state
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&s); err != nil {
		return nil, v.file.damaged("it is not valid JSON", errors.New("syntax"))
	}
	if s.Version > fileVersion {
		return nil, &FileError{Path: v.file.path, Err: errors.New("a newer bcdev wrote it"), next: "use that one, or another --state-dir"}
	}
	if s.Version < 1 || s.Key == (keyPlace{}) {
		return nil, v.file.damaged("it holds no key", errors.New("content"))
	}
	for hash, g := range s.Grants {
		if g == nil || g.Store != hash || !storeHash.MatchString(hash) {
			return nil, v.file.damaged("a grant in it has no store", errors.New("content"))
		}
	}
	return &s, nil
}

func (v *Vault) loadKey(place keyPlace) ([]byte, error) {
	encoded := place.Raw
	if place.Keyring != "" {
		if v.key != nil && v.state != nil && v.state.Key == place {
			return v.key, nil // the keyring is asked once
		}
		var err error
		if encoded, err = v.ring.get(place.Keyring); err != nil {
			return nil, &FileError{
				Path: v.file.path, Err: fmt.Errorf("its key is in the system keyring, which does not give it: %w", err),
				next: "unlock the keyring and try again; or move the file away and install the app again",
			}
		}
	}
	key, err := decodeKey(encoded)
	if err != nil {
		return nil, v.file.damaged("its key is not one", err)
	}
	return key, nil
}

// learn opens the tokens of the file, and adds them to those that are scrubbed.
func (v *Vault) learn() {
	v.open = make(map[string]redact.Secret, len(v.state.Grants))
	for hash, g := range v.state.Grants {
		if opened, err := v.openGrant(*g); err == nil {
			v.open[hash] = opened.Token
			v.known[opened.Token.Reveal()] = true
		}
	}
	for _, c := range v.state.Codes {
		if opened, err := v.openGrant(c.Grant); err == nil {
			v.known[opened.Token.Reveal()] = true
		}
	}
}

// change makes one change that every process sees whole or not at all.
func (v *Vault) change(how func(*state) error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.update(how)
}

// update holds the lock of the file between reading and writing.
func (v *Vault) update(how func(*state) error) error {
	unlock, err := v.file.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := v.read(); err != nil {
		return err
	}
	next, key := v.state.clone(), v.key
	at, err := v.write(next, how)
	if err != nil {
		v.key = key // one that was made for nothing must not be used
		return err
	}
	v.state, v.stamp = next, at
	v.learn()
	return nil
}

func (v *Vault) write(next *state, how func(*state) error) (stamp, error) {
	v.ensureKey(next)
	if err := how(next); err != nil {
		return stamp{}, err
	}
	text, err := json.MarshalIndent(next, "", " ")
	if err != nil {
		return stamp{}, fmt.Errorf("writing the vault: %w", err)
	}
	return v.file.write(append(text, '\n'))
}

func (s *state) clone() *state {
	c := *s
	c.Aliases, c.Grants, c.Codes = maps.Clone(s.Aliases), maps.Clone(s.Grants), slices.Clone(s.Codes)
	return &c
}

// ensureKey makes the key of a new vault. A keyring that fails to keep it is as good as none.
func (v *Vault) ensureKey(s *state) {
	if s.Key != (keyPlace{}) {
		return
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	if !v.o.NoKeyring && v.ring.works() {
		name := "vault " + rand.Text()
		err := v.ring.set(name, encodeKey(key))
		if err == nil {
			s.Key, v.key = keyPlace{Keyring: name}, key
			return
		}
		v.o.Logger.Warn("the system keyring keeps no key; the file does", "reason", err.Error())
	}
	s.Key, v.key = keyPlace{Raw: encodeKey(key)}, key
}
