// Command bcdev is the local companion of a BigCommerce app developer: it opens a tunnel for the
// app's callbacks, makes the token exchange, and serves a local proxy to the BigCommerce API.
package main

import (
	"os"

	"bcdev/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], cli.System()))
}
