package vault

import (
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/zalando/go-keyring"
)

// Keyring is the part of a system keyring that is needed here.
type Keyring interface {
	Get(service, user string) (string, error)
	Set(service, user, password string) error
}

// keyringTime bounds every question to the keyring: a locked one may wait for a person.
const keyringTime = 3 * time.Second

const service = "bcdev"

// systemKeyring is the one of the operating system, by way of the library.
type systemKeyring struct{}

// Get returns a password.
func (systemKeyring) Get(service, user string) (string, error) { return keyring.Get(service, user) }

// Set keeps a password.
func (systemKeyring) Set(service, user, password string) error {
	return keyring.Set(service, user, password)
}

// ring asks a keyring, within a time limit.
type ring struct {
	keyring Keyring
	limit   time.Duration
	probe   sync.Once
	usable  bool
}

func newRing(k Keyring) *ring {
	if k == nil {
		k = systemKeyring{}
	}
	return &ring{keyring: k, limit: keyringTime}
}

// works reports whether there is a keyring. It is asked for an entry that nobody made: to know
// that it is not there, it must be there itself. Every other answer means no keyring; without
// D-Bus the library fails with whatever exec says.
func (r *ring) works() bool {
	r.probe.Do(func() {
		_, err := r.get("probe")
		r.usable = err == nil || errors.Is(err, keyring.ErrNotFound)
	})
	return r.usable
}

func (r *ring) get(user string) (string, error) {
	return r.ask(func() (string, error) { return r.keyring.Get(service, user) })
}

// set keeps a password and reads it back: some keyrings take what they do not give.
func (r *ring) set(user, password string) error {
	back, err := r.ask(func() (string, error) {
		if err := r.keyring.Set(service, user, password); err != nil {
			return "", err
		}
		return r.keyring.Get(service, user)
	})
	if err == nil && back != password {
		err = errors.New("it gives back something else")
	}
	return err
}

// ask leaves a question that hangs behind: the library has no way to take it back.
func (r *ring) ask(question func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := question()
		answers <- answer{text, err}
	}()
	timer := time.NewTimer(r.limit)
	defer timer.Stop()
	select {
	case a := <-answers:
		return a.text, a.err
	case <-timer.C:
		return "", fmt.Errorf("the keyring did not answer within %v", r.limit)
	}
}

func encodeKey(key []byte) string { return base64.StdEncoding.EncodeToString(key) }

func decodeKey(s string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(key) != 32 {
		return nil, errors.New("32 bytes in base64 were expected")
	}
	return key, nil
}
