package hooks

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Header is what bcdev sets on its registrations. BigCommerce keeps the headers of a registration,
// shows them with it, and sends them with each delivery (BigCommerce docs, Webhooks). Its value is
// a word that belongs to one state folder, and how the registration came about: it tells ours
// from those of a colleague on the same store. It opens nothing and is no secret.
const Header = "X-Bcdev"

const (
	hostsAtMost = 50
	madeAtMost  = 2000
	bookLimit   = 1 << 20 // bytes
)

// Book remembers what was registered from a state folder, and at which public hosts. It is safe
// for concurrent use; other processes may write the same file, so it is read before each change.
type Book struct {
	file string
	mu   sync.Mutex
	text
}

// text is the file.
type text struct {
	Owner string   `json:"owner"`
	Hosts []string `json:"hosts"` // public hosts, the latest last
	Made  []made   `json:"made"`
}

type made struct {
	Store string `json:"store"`
	ID    int64  `json:"id"`
	Hand  bool   `json:"by_hand,omitempty"`
	Path  string `json:"path"`
}

// OpenBook reads file, which need not exist. A file that cannot be read as a book is an error:
// registrations of ours would otherwise become strangers'.
func OpenBook(file string) (*Book, error) {
	b := &Book{file: file}
	if err := b.read(); err != nil {
		return nil, err
	}
	return b, nil
}

func (b *Book) read() error {
	content, err := os.ReadFile(b.file)
	var in text
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("reading the book of webhooks: %w", err)
	default:
		if err := json.Unmarshal(content[:min(len(content), bookLimit)], &in); err != nil {
			return &BookError{b.file, err}
		}
	}
	if in.Owner == "" {
		in.Owner = b.Owner
	}
	b.text = in
	return nil
}

// BookError is a file that is no book.
type BookError struct {
	File string
	Err  error
}

func (e *BookError) Error() string { return fmt.Sprintf("reading the book of webhooks: %v", e.Err) }

// Unwrap returns the cause.
func (e *BookError) Unwrap() error { return e.Err }

// Hint says what to do next.
func (e *BookError) Hint() string {
	return "remove " + e.File + "; \"bcdev hooks list\" still knows its own webhooks by their header"
}

// change reads the file again, changes it and replaces it by rename, for its owner's eyes alone.
func (b *Book) change(how func(*text)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.read(); err != nil {
		return err
	}
	if b.Owner == "" {
		b.Owner = strings.ToLower(rand.Text()[:16])
	}
	how(&b.text)
	content, err := json.MarshalIndent(b.text, "", "  ")
	if err != nil {
		return err
	}
	if err := replace(b.file, append(content, '\n')); err != nil {
		return fmt.Errorf("writing the book of webhooks: %w", err)
	}
	return nil
}

func replace(file string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".hooks-*") // made 0600
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

// Headers are those of a new registration.
func (b *Book) Headers(who Maker) (map[string]string, error) {
	if err := b.change(func(*text) {}); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return map[string]string{Header: b.Owner + wordOf(who)}, nil
}

func wordOf(who Maker) string {
	if who == ByHand {
		return "/add"
	}
	return "/sync"
}

// Made remembers a registration.
func (b *Book) Made(store string, h Hook, who Maker) error {
	return b.change(func(t *text) {
		t.Made = slices.DeleteFunc(t.Made, func(m made) bool { return m.Store == store && m.ID == h.ID })
		t.Made = append(t.Made, made{store, h.ID, who == ByHand, h.Path()})
		t.Made = t.Made[max(0, len(t.Made)-madeAtMost):]
	})
}

// Gone forgets a registration.
func (b *Book) Gone(store string, id int64) error {
	return b.change(func(t *text) {
		t.Made = slices.DeleteFunc(t.Made, func(m made) bool { return m.Store == store && m.ID == id })
	})
}

// Maker tells who made a registration of store: by its header, or by its id where the header did
// not survive.
func (b *Book) Maker(store string) func(Hook) Maker {
	return func(h Hook) Maker {
		b.mu.Lock()
		defer b.mu.Unlock()
		if mark := markOf(h); mark != "" {
			owner, how, _ := strings.Cut(mark, "/")
			switch {
			case owner != b.Owner:
				return Stranger
			case how == "add":
				return ByHand
			}
			return BySync
		}
		for _, m := range b.text.Made {
			if m.Store != store || m.ID != h.ID {
				continue
			}
			if m.Hand {
				return ByHand
			}
			return BySync
		}
		return Stranger
	}
}

// Colleague reports whether another bcdev made the registration.
func (b *Book) Colleague(h Hook) bool {
	mark := markOf(h)
	owner, _, _ := strings.Cut(mark, "/")
	b.mu.Lock()
	defer b.mu.Unlock()
	return mark != "" && owner != b.Owner
}

func markOf(h Hook) string {
	for name, value := range h.Headers {
		if strings.EqualFold(name, Header) {
			return value
		}
	}
	return ""
}

// Visit remembers a public host.
func (b *Book) Visit(host string) error {
	host = strings.ToLower(host)
	return b.change(func(t *text) {
		t.Hosts = slices.DeleteFunc(t.Hosts, func(h string) bool { return h == host })
		t.Hosts = append(t.Hosts, host)
		t.Hosts = t.Hosts[max(0, len(t.Hosts)-hostsAtMost):]
	})
}

// Ours reports whether host was a public host of this state folder.
func (b *Book) Ours(host string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Contains(b.text.Hosts, strings.ToLower(host))
}

// Empty reports whether nothing was ever remembered.
func (b *Book) Empty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.text.Hosts) == 0 && len(b.text.Made) == 0
}

// Paths are the paths of the registrations made here, each once.
func (b *Book) Paths() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var paths []string
	for _, m := range b.text.Made {
		if path, _, _ := strings.Cut(m.Path, "?"); strings.HasPrefix(path, "/") && !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	return paths
}
