// Command bcdev is the local companion of a BigCommerce app developer.
package main

import (
	_ "github.com/andybalholm/brotli"
	_ "github.com/elazarl/goproxy"
	_ "github.com/fatih/color"
	_ "github.com/golang-jwt/jwt/v5"
	_ "github.com/google/go-cmp/cmp"
	_ "github.com/klauspost/compress/zstd"
	_ "github.com/rogpeppe/go-internal/testscript"
	_ "github.com/spf13/cobra"
	_ "github.com/vektah/gqlparser/v2"
	_ "github.com/zalando/go-keyring"
	_ "golang.ngrok.com/muxado/v2"
	_ "golang.ngrok.com/ngrok/v2"
	_ "golang.org/x/net/http2"
	_ "golang.org/x/term"
	_ "gopkg.in/yaml.v3"
	_ "modernc.org/sqlite"
)

func main() {}
