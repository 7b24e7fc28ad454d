package cli

import (
	"context"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bcdev/internal/console"
	"bcdev/internal/sandbox"
)

func (p *program) sandboxCommand() *cobra.Command {
	addrs := defaultFarAddrs()
	var o sandbox.Options
	c := &cobra.Command{
		Use:   "sandbox",
		Short: "Only the far side: BigCommerce's login and API, webhooks, and an ngrok edge",
		Long: `sandbox plays BigCommerce and ngrok on this machine, for trying bcdev and for the tests of your own app.
Its control face makes it act: POST {control_url}/install, /load, /uninstall, /remove_user, /webhook,
/faults, /clock, /quota; GET {control_url}/received shows what came in.

It prints the variables that point "bcdev up" at it; with --json they are "env" of the ready line.
BC_CLIENT_ID and BC_CLIENT_SECRET, when set, become the app's credentials; otherwise it makes some up.`,
		Args: cobra.NoArgs,
	}
	set := newSettings(c)
	set.text("listen", "sandbox.listen", "address of login, API and control (default 127.0.0.1:7080)")
	f := c.Flags()
	f.StringVar(&addrs.agent, "edge-listen", addrs.agent, "address where ngrok agents connect")
	f.StringVar(&addrs.public, "public-listen", addrs.public, "address of the public side, TLS under *.localhost")
	f.StringVar(&o.Store, "store", sandbox.DefaultStore, "the store's hash")
	f.StringSliceVar(&o.Scopes, "scope", nil, "scopes that the app asks for")
	f.Float64Var(&o.TimeScale, "time-scale", 1, "how many times faster webhook retries come")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := p.config(&configured{values: set.given()})
		if err != nil {
			return err
		}
		if cfg.Sandbox.Listen != "" {
			addrs.login = cfg.Sandbox.Listen
		}
		o.App = ownApp(cfg)
		return p.runSandbox(c.Context(), addrs, o)
	}
	return c
}

func (p *program) runSandbox(ctx context.Context, addrs farAddrs, o sandbox.Options) error {
	state, err := p.state()
	if err != nil {
		return err
	}
	far, err := openFarSide(addrs, filepath.Join(state, "sandbox"), o, p)
	if err != nil {
		return err
	}
	defer far.close()
	app := far.sandbox.App()
	con := p.console()
	env := far.env(filepath.Join(far.dir(), "app"))
	con.SandboxReady(console.SandboxReady{
		Env: env, EnvLines: append(exportLines(env), p.called()+" up"),
		LoginURL: far.url(), APIURL: far.url(), ControlURL: far.controlURL(),
		EdgeAddr: far.edge.AgentAddr(), EdgeCA: far.caFile,
		ClientID: app.ClientID, ClientSecret: app.ClientSecret.Reveal(), Authtoken: far.authtoken,
		Store: far.sandbox.Store(), PublicURL: far.edge.DevURL(far.authtoken),
	})
	return far.run(ctx)
}

// env points another bcdev at this far side. Its state folder is one of its own, so that a sandbox's
// grants do not come to lie among real ones.
func (f *farSide) env(state string) map[string]string {
	app := f.sandbox.App()
	return map[string]string{
		"BC_CLIENT_ID": app.ClientID, "BC_CLIENT_SECRET": app.ClientSecret.Reveal(), "NGROK_AUTHTOKEN": f.authtoken,
		"BCDEV_STATE_DIR":          state,
		"BCDEV_TUNNEL_CONNECT_URL": f.edge.AgentAddr(), "BCDEV_TUNNEL_CONNECT_CAS": f.caFile,
		"BCDEV_BIGCOMMERCE_LOGIN_URL": f.url(), "BCDEV_BIGCOMMERCE_API_URL": f.url(),
		"BCDEV_BIGCOMMERCE_STOREFRONT_URL": f.storefrontURL(),
	}
}

// dir is where this far side keeps its files.
func (f *farSide) dir() string { return filepath.Dir(f.caFile) }

// exportLines set variables in a POSIX shell, or in PowerShell on Windows.
func exportLines(env map[string]string) []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if runtime.GOOS == "windows" {
			lines = append(lines, "$env:"+name+"='"+strings.ReplaceAll(env[name], "'", "''")+"'")
			continue
		}
		lines = append(lines, variable{name: name, value: env[name]}.shellLine())
	}
	return lines
}
