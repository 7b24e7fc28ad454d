package cli

import (
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bcdev/internal/config"
	"bcdev/internal/vault"
)

type envFlags struct {
	format  string
	write   string
	forward bool
}

func (p *program) envCommand() *cobra.Command {
	var flags envFlags
	c := &cobra.Command{
		Use:   "env [STORE]",
		Short: "Print an app's environment: credentials, callback, and where the API door is",
		Long: `env prints lines for a shell or a .env file. With --write it patches a .env file: only the lines it
knows change, the change is shown, and the file as it was stays beside it as .bak.

With --forward it prints what Node, Python, PHP, Ruby, Go, Java and curl need to go through the forward
door and to trust its certificates.`,
		Example: "  eval \"$(bcdev env)\"\n  bcdev env --write .env\n  bcdev env --forward",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if flags.format != "shell" && flags.format != "dotenv" {
				return misused("choose shell or dotenv", "--format %q is not known", flags.format)
			}
			if flags.forward {
				return p.envForward()
			}
			return p.withVault(func(cfg *config.Config, v *vault.Vault) error { return p.env(cfg, v, args, flags) })
		},
	}
	c.Flags().StringVar(&flags.format, "format", "shell", "shell or dotenv")
	c.Flags().StringVar(&flags.write, "write", "", "patch this .env file")
	c.Flags().BoolVar(&flags.forward, "forward", false, "print what a program needs to use the forward door")
	return c
}

func (p *program) env(cfg *config.Config, v *vault.Vault, args []string, flags envFlags) error {
	hash, err := chosen(v, args)
	if err != nil {
		return err
	}
	token, err := v.Token(hash)
	if err != nil {
		return err
	}
	vars := []variable{
		{name: "BC_STORE_HASH", value: hash},
		{name: "BC_ACCESS_TOKEN", value: token.Reveal(), secret: true},
		{name: "BC_CLIENT_ID", value: cfg.App.ClientID},
		{name: "BC_CLIENT_SECRET", value: cfg.App.ClientSecret.Reveal(), secret: true},
		{name: "BC_API_URL", value: p.door(cfg)},
		{name: "BC_LOGIN_URL", value: p.door(cfg)},
	}
	if public := publicOf(cfg); public != nil {
		vars = append(vars, variable{name: "BC_AUTH_CALLBACK", value: joinURL(public.String(), cfg.App.Callbacks.Auth)})
	}
	vars = p.withValue(vars)
	if flags.write != "" {
		return p.writeEnv(flags.write, vars)
	}
	con := p.console()
	if isTerminal(p.Out) {
		con.Notef("these lines hold the access token and the client secret")
	}
	var b strings.Builder
	for _, v := range vars {
		if flags.format == "dotenv" {
			b.WriteString(v.dotenvLine() + "\n")
		} else {
			b.WriteString(v.shellLine() + "\n")
		}
	}
	con.Print(b.String())
	return con.Err()
}

// withValue leaves out what is not known here: an app's own value is better than none.
func (p *program) withValue(vars []variable) []variable {
	return slices.DeleteFunc(vars, func(v variable) bool {
		if v.value == "" {
			p.console().Notef("%s is not known here and left out: %s", v.name, v.missing())
		}
		return v.value == ""
	})
}

// missing says where the value would come from.
func (v variable) missing() string {
	if v.name == "BC_API_URL" || v.name == "BC_LOGIN_URL" {
		return "start \"bcdev up\", or give proxy.listen a port"
	}
	return "set it in the environment or in bcdev.yaml"
}

// door is the API door of the running bcdev, with the key where one is required, else where the
// configuration puts it; "" where only the running one would know: a free port, or a socket.
func (p *program) door(cfg *config.Config) string {
	if r, ok := p.beside(); ok && r.ProxyURL != "" {
		return r.ProxyURL
	}
	if listen := cfg.Proxy.Listen; strings.HasPrefix(listen, "unix:") || strings.HasSuffix(listen, ":0") {
		return ""
	}
	return doorOf(cfg)
}

// doorOf is where the API door listens by the configuration.
func doorOf(cfg *config.Config) string { return "http://" + cfg.Proxy.Listen }

func (p *program) writeEnv(file string, vars []variable) error {
	patch, err := writeEnv(file, vars)
	if err != nil {
		return err
	}
	con := p.console()
	if len(patch.lines) == 0 {
		con.Notef("%s is as it should be", file)
		return nil
	}
	con.Print(patch.diff(vars))
	if patch.before != "" {
		con.Notef("%s is written; the file as it was is %s.bak", file, filepath.Base(file))
	}
	return con.Err()
}

// envForward prints the variables by which programs find the forward door and trust its CA.
func (p *program) envForward() error {
	cfg, err := p.config(nil)
	if err != nil {
		return err
	}
	dir, err := p.state()
	if err != nil {
		return err
	}
	if err := makePrivate(dir); err != nil {
		return err
	}
	if _, err := keepCA(dir, time.Now()); err != nil {
		return err
	}
	listen := cfg.ForwardProxy.Listen
	if listen == "" {
		listen = "127.0.0.1:7072"
		p.console().Notef("the forward door is off: start it with \"bcdev up --forward-listen %s\"", listen)
	}
	ca := filepath.Join(dir, caFile)
	bundle, whole, err := bundleCA(dir)
	if err != nil {
		return err
	}
	door := "http://" + listen
	vars := []variable{
		{name: "HTTPS_PROXY", value: door}, {name: "https_proxy", value: door},
		{name: "NODE_EXTRA_CA_CERTS", value: ca}, // Node; it needs NODE_USE_ENV_PROXY for the proxy
		{name: "NODE_USE_ENV_PROXY", value: "1"},
		{name: "REQUESTS_CA_BUNDLE", value: bundle}, // Python's requests
		{name: "SSL_CERT_FILE", value: bundle},      // Python's ssl, Ruby, Go, OpenSSL
		{name: "CURL_CA_BUNDLE", value: bundle},     // curl, and PHP through it
	}
	var b strings.Builder
	for _, v := range vars {
		b.WriteString(v.shellLine() + "\n")
	}
	b.WriteString("# PHP: php -d curl.cainfo='" + bundle + "' -d openssl.cafile='" + bundle + "'\n")
	b.WriteString("# Java: keytool -importcert -noprompt -alias bcdev -file '" + ca + "' -keystore bcdev.p12 -storetype PKCS12 -storepass bcdev1\n")
	b.WriteString("#       java -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=" + portText(listen) +
		" -Djavax.net.ssl.trustStore=bcdev.p12 -Djavax.net.ssl.trustStorePassword=bcdev1\n")
	if !whole {
		b.WriteString("# This machine's own list of authorities was not found: with these, a program trusts BigCommerce through the door and nobody else.\n")
	}
	con := p.console()
	con.Print(b.String())
	return con.Err()
}

func portText(listen string) string {
	if i := strings.LastIndexByte(listen, ':'); i >= 0 {
		return listen[i+1:]
	}
	return listen
}
