package sandbox

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"bcdev/internal/bigcommerce"
	"bcdev/internal/redact"
)

// accountUUID is the Developer Portal account that owns the app.
const accountUUID = "5e0f6f7a-1c2b-4d3e-8f90-a1b2c3d4e5f6"

// inventApp makes a pair as the portal makes one: an id of 31 letters and digits and a secret
// of 64 hexadecimal digits.
func inventApp() bigcommerce.App {
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // never fails since Go 1.24
	return bigcommerce.App{
		ClientID:     inventWord(31),
		ClientSecret: redact.Secret(hex.EncodeToString(secret[:])),
	}
}

// inventWord is n random lowercase letters and digits, as codes and tokens look.
func inventWord(n int) string {
	const letters = "0123456789abcdefghijklmnopqrstuv" // 32: no bias
	word := make([]byte, n)
	_, _ = rand.Read(word)
	for i := range word {
		word[i] = letters[word[i]&31]
	}
	return string(word)
}

// inventUUID is a random UUID of version 4.
func inventUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
