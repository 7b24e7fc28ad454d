package proxy

import (
	"io"
	"log"
)

// quietLog is for servers whose complaints are part of the test.
func quietLog() *log.Logger { return log.New(io.Discard, "", 0) }
