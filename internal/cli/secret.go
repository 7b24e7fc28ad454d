package cli

import "bcdev/internal/redact"

// secret makes a secret of a text that is ours.
func secret(s string) redact.Secret { return redact.Secret(s) }
