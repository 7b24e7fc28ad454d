package config

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"bcdev/internal/redact"
)

// Credential makes a secret out of what a person pasted: space around it is dropped, and what
// cannot be a client id, secret or token is refused with the reason. The error never holds any
// of it.
func Credential(pasted string) (redact.Secret, error) {
	s := strings.TrimSpace(pasted)
	if err := checkCredential(s); err != nil {
		return "", err
	}
	return redact.Secret(s), nil
}

func checkCredential(s string) error {
	switch {
	case len(s) > 4096:
		return errors.New("is longer than 4096 bytes")
	case strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f }):
		return errors.New("holds a line break or another control character")
	case strings.Contains(s, ": "):
		return errors.New("looks like a header line: paste only what stands behind the colon")
	case strings.ContainsAny(s, " '\"`"):
		return errors.New("holds a space or a quotation mark")
	case strings.ContainsFunc(s, func(r rune) bool { return r > 0x7e }):
		return errors.New("holds a character that is not ASCII")
	}
	return nil
}

// credential checks a value that travels in a header or a signed body.
func (l *loader) credential(path, value string) {
	if err := checkCredential(value); err != nil {
		l.bad("bad_credential", path, "paste it again, without quotation marks and spaces", "%s", err)
		return
	}
	if strings.ContainsAny(value, "{}") {
		l.warn("braces", path, "write ${NAME}, or the value itself", "holds { or }: a placeholder that was not filled in?")
	}
}

// checkFileMode warns when other users of the machine can read a secret written into the file.
func (l *loader) checkFileMode() {
	info, err := os.Stat(l.c.File)
	if l.c.File == "" || err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&0o044 == 0 {
		return
	}
	for _, path := range []string{"app.client_secret", "tunnel.authtoken", "stores"} {
		if l.literalSecret(path) {
			l.warn("readable_file", path, "chmod 600 "+l.shown()+", or write ${NAME} instead of the value", "other users of this machine can read this secret")
			return
		}
	}
}

func (l *loader) literalSecret(path string) bool {
	if path == "stores" {
		for i, s := range l.c.Stores {
			if at := fmt.Sprintf("stores[%d].token", i); s.Token != "" && l.byFile(at) && !l.expanded[at] {
				return true
			}
		}
		return false
	}
	i := slices.IndexFunc(l.keys, func(k key) bool { return k.path == path })
	return l.byFile(path) && !l.expanded[path] && l.keys[i].value.Len() > 0
}
