package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
	"bcdev/internal/config"
	"bcdev/internal/deliver"
	"bcdev/internal/vault"
)

type triggerFlags struct {
	replayFlags
	store, user, owner, url, data string
	channel                       int64
	legacy, list, public          bool
}

func (p *program) triggerCommand() *cobra.Command {
	var flags triggerFlags
	c := &cobra.Command{
		Use:   "trigger EVENT",
		Short: "Make a signed callback or webhook out of nothing, and bring it to the local app",
		Long: `trigger makes a callback (auth, load, uninstall, remove_user) or a webhook (store/order/created, …) as
BigCommerce would send it, signed with the app's client secret, and brings it to the local app. The code
of an auth trigger is one that the API door's /oauth2/token honours.`,
		Example: "  bcdev trigger load --user 12 --url /orders\n  bcdev trigger store/order/created --set data.id=118\n  bcdev trigger --list",
		Args:    cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return eventNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			if flags.list {
				return p.listEvents()
			}
			if len(args) == 0 {
				return usage(c, errors.New("which event? \"bcdev trigger --list\" shows them all"))
			}
			r, err := flags.replay()
			if err != nil {
				return usage(c, err)
			}
			return p.trigger(c.Context(), args[0], flags, r)
		},
	}
	f := c.Flags()
	f.BoolVar(&flags.list, "list", false, "list all events")
	f.StringVar(&flags.store, "store", "", "store hash or alias (default the current store)")
	f.StringVar(&flags.user, "user", "", "acting user: ID or ID:e-mail")
	f.StringVar(&flags.owner, "owner", "", "store owner: ID or ID:e-mail")
	f.StringVar(&flags.url, "url", "", "deep link of a load, e.g. /orders/118")
	f.Int64Var(&flags.channel, "channel", 0, "channel of a load")
	f.BoolVar(&flags.legacy, "legacy", false, "send the legacy signed_payload too")
	f.StringVar(&flags.data, "data", "", "data of a webhook, as JSON")
	f.BoolVar(&flags.public, "public", false, "send it through the public URL, not straight to the app")
	f.StringVar(&flags.to, "to", "", "URL of the app, instead of app.forward_to")
	f.StringVar(&flags.expect, "expect", "", "statuses that are fine: 302, 2xx, or 200,302")
	f.StringArrayVar(&flags.set, "set", nil, "change a part: data.id=118, query.url=/x")
	f.StringArrayVar(&flags.headers, "header", nil, "replace a header, 'name: value'")
	f.IntVar(&flags.times, "times", 1, "how often")
	f.DurationVar(&flags.every, "every", 0, "time between two of them")
	f.BoolVar(&flags.dryRun, "dry-run", false, "show what would be sent, and send nothing")
	f.BoolVar(&flags.allowRemote, "allow-remote", false, "allow targets beyond this machine")
	return c
}

func (p *program) trigger(ctx context.Context, event string, flags triggerFlags, r deliver.Replay) error {
	public, err := p.publicTarget()
	if err != nil && flags.public {
		return err
	}
	remote := flags.allowRemote || flags.public && !isLocalName(public.Hostname())
	cast, courier, err := p.openCourier(ctx, remote)
	if err != nil {
		return err
	}
	defer cast.close()
	if err := needsApp(cast.cfg); err != nil {
		return err
	}
	t, err := flags.trigger(event, cast.cfg, cast.vault)
	if err != nil {
		return err
	}
	if flags.public {
		r.To = public
	}
	if public != nil {
		t.Host = public.Host
	}
	if t.Kind == capture.Hook { // what --set changes is part of the body that is signed
		t.Set, r.Set = r.Set, nil
	}
	run := replayRun{p.console(), courier, r, flags.replayFlags, false}
	for n := range flags.times {
		if n > 0 && !pause(ctx, flags.every) {
			break
		}
		e, err := deliver.Triggered(t, appOf(cast.cfg), time.Now())
		if err != nil {
			return err
		}
		once := run
		once.flags.times = 1
		if err := once.all(ctx, []subject{{event, e}}); err != nil {
			return err
		}
	}
	return nil
}

// trigger describes what is to be made, by the configuration's paths and the vault's stores.
func (f triggerFlags) trigger(event string, cfg *config.Config, v *vault.Vault) (deliver.Trigger, error) {
	t := deliver.Trigger{Kind: capture.Kind(event), Store: f.store, URL: f.url, Legacy: f.legacy}
	var err error
	if t.Store, err = f.triggerStore(v); err != nil {
		return t, err
	}
	if t.User, err = parseUser("--user", f.user); err != nil {
		return t, err
	}
	if t.Owner, err = parseUser("--owner", f.owner); err != nil {
		return t, err
	}
	if f.channel != 0 {
		t.ChannelID = &f.channel
	}
	if public := publicOf(cfg); public != nil {
		t.Host = public.Host
	}
	paths := cfg.App.Callbacks
	switch t.Kind {
	case capture.Auth:
		t.Path, t.Code, t.Scopes = paths.Auth, honouredCode(v, t.Store, cfg), cfg.App.Scopes
	case capture.Load:
		t.Path = paths.Load
	case capture.Uninstall:
		t.Path = paths.Uninstall
	case capture.RemoveUser:
		t.Path = paths.RemoveUser
	default:
		t.Kind, t.Topic, t.Path = capture.Hook, event, cfg.App.Webhooks
		t.Data = []byte(f.data)
	}
	return t, nil
}

// sampleStore is the store of a trigger where no store is known yet.
const sampleStore = "abc123xyz"

func (f triggerFlags) triggerStore(v *vault.Vault) (string, error) {
	if f.store == "" {
		if hash, err := v.Current(); err == nil {
			return hash, nil
		}
		return sampleStore, nil
	}
	if hash, ok := v.Resolve(f.store); ok {
		return hash, nil
	}
	if !bigcommerce.ValidStoreHash(f.store) {
		return "", misused("give the hash or the alias of a store", "--store %q is no store", f.store)
	}
	return f.store, nil
}

// honouredCode makes a code that the API door answers with a grant: the store's own, or one made
// up, so that an app's install can be developed before the app exists in any portal.
func honouredCode(v *vault.Vault, store string, cfg *config.Config) string {
	if _, ok := v.Grant(store); ok {
		return freshCode(v, store)
	}
	code := freshCode(v, store)
	if g, err := madeUpGrant(store, cfg); err == nil {
		_ = v.Remember(code, g) // a code nobody honours is still a callback to look at
	}
	return code
}

// parseUser reads "12" or "12:dev@example.com".
func parseUser(flag, s string) (bigcommerce.User, error) {
	if s == "" {
		return bigcommerce.User{}, nil
	}
	number, email, _ := strings.Cut(s, ":")
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil || id < 1 {
		return bigcommerce.User{}, misused("write it as 12 or 12:dev@example.com", "%s %q names no user", flag, s)
	}
	if email == "" {
		email = fmt.Sprintf("user%d@example.com", id)
	}
	return bigcommerce.User{ID: id, Email: email, Username: email, Locale: "en-US"}, nil
}

// eventNames are all that trigger takes, for completion.
func eventNames() []string {
	names := []string{"auth", "load", "uninstall", "remove_user"}
	for _, e := range bigcommerce.Events() {
		names = append(names, e.Scope)
	}
	return names
}

func (p *program) listEvents() error {
	con := p.console()
	rows := [][]string{
		{"auth", "the app was installed: code, context, scope"},
		{"load", "a user opened the app"},
		{"uninstall", "the app was uninstalled"},
		{"remove_user", "a user lost access to the app"},
	}
	for _, e := range bigcommerce.Events() {
		if p.json {
			con.JSONLine("hook_event", map[string]any{"scope": e.Scope, "about": e.About, "data": e.Example})
		}
		rows = append(rows, []string{e.Scope, e.About})
	}
	if !p.json {
		con.Table([]string{"event", ""}, rows)
	}
	return con.Err()
}
