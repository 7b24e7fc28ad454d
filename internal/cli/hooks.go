package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"bcdev/internal/hooks"
)

// hookFlags are what the subcommands of hooks share.
type hookFlags struct {
	store              string
	yes, dryRun, adopt bool
}

func (p *program) hooksCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "hooks",
		Short: "The store's webhook registrations",
		Long: `hooks lists and changes a store's webhook registrations, through BigCommerce's API with the store's grant.

Each registration that bcdev makes carries the header ` + hooks.Header + `, whose value belongs to this state folder.
Others, made by your app, by other programs or by a colleague's bcdev, are left alone unless you name them.
BigCommerce shows only what was registered with the same client id.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(p.hooksList(), p.hooksAdd(), p.hooksSync(), p.hooksEnable(), p.hooksDelete())
	return c
}

func (f *hookFlags) add(c *cobra.Command, changes bool) *cobra.Command {
	c.Flags().StringVar(&f.store, "store", "", "store hash or alias (default the current store)")
	if changes {
		c.Flags().BoolVarP(&f.yes, "yes", "y", false, "ask nothing")
		c.Flags().BoolVar(&f.dryRun, "dry-run", false, "show what would be done, and do nothing")
	}
	return c
}

func (p *program) hooksList() *cobra.Command {
	var f hookFlags
	return f.add(&cobra.Command{
		Use: "list", Short: "Scope, destination, state, age, whether ours, why inactive, blocked domains", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.withDesk(c.Context(), f.store, func(ctx context.Context, d *desk) error { return d.list(ctx) })
		},
	}, false)
}

func (p *program) hooksAdd() *cobra.Command {
	var f hookFlags
	return f.add(&cobra.Command{
		Use: "add SCOPE…", Short: "Register webhooks for the public URL and app.webhooks", Args: cobra.MinimumNArgs(1),
		Long: `add registers webhooks that lead to the public URL (of the running "bcdev up", else tunnel.url) and the
path app.webhooks. SCOPE is an event (store/order/created) or a family (store/order/*).`,
		RunE: func(c *cobra.Command, scopes []string) error {
			if err := checkScopes(scopes); err != nil {
				return err
			}
			return p.withDesk(c.Context(), f.store, func(ctx context.Context, d *desk) error { return d.add(ctx, scopes, f) })
		},
	}, true)
}

func (p *program) hooksSync() *cobra.Command {
	var f hookFlags
	c := f.add(&cobra.Command{
		Use: "sync", Short: "Make the store's webhooks equal to app.hooks of the configuration", Args: cobra.NoArgs,
		Long: `sync adds what app.hooks asks for, re-points what an earlier public URL left (its path is kept), switches
inactive ones on, and removes those it made itself that the configuration does not want any more. What
"bcdev hooks add" made is kept. It shows the plan and asks on a terminal; elsewhere it needs --yes.`,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.withDesk(c.Context(), f.store, func(ctx context.Context, d *desk) error { return d.sync(ctx, f) })
		},
	}, true)
	c.Flags().BoolVar(&f.adopt, "adopt", false, "take over those that bcdev did not make but that lead to a public URL of yours")
	return c
}

func (p *program) hooksEnable() *cobra.Command {
	var f hookFlags
	return f.add(&cobra.Command{
		Use: "enable ID…", Short: "Switch webhooks on again", Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return p.onHooks(c, f, args, func(ctx context.Context, d *desk, named []hooks.Hook) error {
				return d.enable(ctx, named, f)
			})
		},
	}, true)
}

func (p *program) hooksDelete() *cobra.Command {
	var f hookFlags
	return f.add(&cobra.Command{
		Use: "delete ID…", Short: "Delete webhooks, whoever made them", Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return p.onHooks(c, f, args, func(ctx context.Context, d *desk, named []hooks.Hook) error {
				return d.delete(ctx, named, f)
			})
		},
	}, true)
}

// onHooks finds the registrations that are named by id.
func (p *program) onHooks(c *cobra.Command, f hookFlags, args []string, do func(context.Context, *desk, []hooks.Hook) error) error {
	var ids []int64
	for _, arg := range args {
		id, err := strconv.ParseInt(arg, 10, 64)
		if err != nil || id < 1 {
			return misused("\"bcdev hooks list\" shows the ids", "%q is no id of a webhook", arg)
		}
		ids = append(ids, id)
	}
	return p.withDesk(c.Context(), f.store, func(ctx context.Context, d *desk) error {
		existing, _, _, err := d.hooks.Look(ctx)
		if err != nil {
			return err
		}
		named, err := pick(existing, ids, d.store)
		if err != nil {
			return err
		}
		return do(ctx, d, named)
	})
}

func pick(existing []hooks.Hook, ids []int64, store string) (named []hooks.Hook, err error) {
	byID := map[int64]hooks.Hook{}
	for _, h := range existing {
		byID[h.ID] = h
	}
	for _, id := range ids {
		h, ok := byID[id]
		if !ok {
			return nil, failed("\"bcdev hooks list\" shows what there is; those of other client ids cannot be seen",
				"store %s has no webhook %d", store, id)
		}
		named = append(named, h)
	}
	return named, nil
}

// enable switches registrations on, and says where one leads elsewhere.
func (d *desk) enable(ctx context.Context, named []hooks.Hook, f hookFlags) error {
	base, _ := d.base() // only for the note
	var plan hooks.Plan
	for _, h := range named {
		plan = append(plan, hooks.Step{Do: hooks.Enable, Hook: h, Why: hooks.WhyInactive(h)})
		if base != "" && joinURL(base, h.Path()) != h.Destination {
			d.con.Notef("webhook %d leads to %s, which is not the public URL of now", h.ID, h.Host())
		}
	}
	return d.carryOut(ctx, plan, f, false)
}

func (d *desk) delete(ctx context.Context, named []hooks.Hook, f hookFlags) error {
	var plan hooks.Plan
	for _, h := range named {
		plan = append(plan, hooks.Step{Do: hooks.Remove, Hook: h, Why: "you named it"})
	}
	return d.carryOut(ctx, plan, f, d.p.interactive())
}

// interactive reports whether a person can be asked.
func (p *program) interactive() bool { return isTerminalIn(p.In) && isTerminal(p.Err) }

func (d *desk) sync(ctx context.Context, f hookFlags) error {
	if err := checkScopes(scopesOf(wanted(d.cfg))); err != nil {
		return fmt.Errorf("app.hooks: %w", err)
	}
	base, err := d.base()
	if err != nil {
		return err
	}
	plan, err := d.plan(ctx, base, f.adopt)
	if err != nil {
		return err
	}
	return d.carryOut(ctx, plan, f, true)
}

func (d *desk) plan(ctx context.Context, base string, adopt bool) (hooks.Plan, error) {
	existing, _, _, err := d.hooks.Look(ctx)
	if err != nil {
		return nil, err
	}
	return hooks.Make(d.situation(existing, base, adopt)), nil
}

func scopesOf(all []hooks.Want) []string {
	var scopes []string
	for _, w := range all {
		scopes = append(scopes, w.Scope)
	}
	return scopes
}

// carryOut shows a plan, asks if that is called for, and makes it so.
func (d *desk) carryOut(ctx context.Context, plan hooks.Plan, f hookFlags, careful bool) error {
	d.showPlan(plan)
	switch {
	case plan.Changes() == 0:
		d.con.Notef("nothing is to be done: the webhooks of store %s are as they should be", d.store)
		return d.con.Err()
	case f.dryRun:
		return d.con.Err()
	case careful && !f.yes:
		if err := d.agree(plan.Changes()); err != nil {
			return err
		}
	}
	err := hooks.Apply(ctx, d.hooks, d.book, plan, d.tellDone)
	if adds(plan) {
		d.firstEvent()
	}
	return errors.Join(err, d.con.Err())
}

// agree asks; without anybody to ask, --yes must have been given.
func (d *desk) agree(changes int) error {
	if !d.p.interactive() {
		return misused("look at the plan, then add --yes", "%s wait for a yes, and there is nobody to ask", counted(changes, "change"))
	}
	fmt.Fprintf(d.p.Err, "make %s in store %s? [y/N] ", counted(changes, "change"), d.store)
	yes, err := d.p.agreed()
	if err != nil {
		return err
	}
	if !yes {
		d.con.Notef("nothing was changed")
		return &saidError{exitFailed}
	}
	return nil
}

func adds(plan hooks.Plan) bool {
	for _, s := range plan {
		if s.Do == hooks.Add || s.Do == hooks.Repoint {
			return true
		}
	}
	return false
}

func (d *desk) firstEvent() {
	d.con.Notef("it may take up to a minute until the first event comes (BigCommerce)")
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// add registers what is not there yet.
func (d *desk) add(ctx context.Context, scopes []string, f hookFlags) error {
	base, err := d.base()
	if err != nil {
		return err
	}
	destination := joinURL(base, d.cfg.App.Webhooks)
	existing, _, _, err := d.hooks.Look(ctx)
	if err != nil {
		return err
	}
	var failures []error
	added := false
	for _, scope := range scopes {
		made, err := d.addOne(ctx, scope, destination, existing, f.dryRun)
		if err != nil {
			failures = append(failures, err)
		}
		added = added || made
	}
	if added && !f.dryRun {
		d.firstEvent()
	}
	return errors.Join(append(failures, d.con.Err())...)
}

func (d *desk) addOne(ctx context.Context, scope, destination string, existing []hooks.Hook, dryRun bool) (made bool, err error) {
	same := 0
	for _, h := range existing {
		if h.Scope != scope {
			continue
		}
		same++
		if h.Destination == destination {
			d.con.Notef("%s is registered for %s already: webhook %d%s", scope, destination, h.ID, howToEnable(h))
			return false, nil
		}
	}
	if same >= hooks.PerScope {
		return false, failed("delete one of them: \"bcdev hooks list\" shows their ids, \"bcdev hooks delete ID\" removes one",
			"store %s has %d webhooks of %s, and BigCommerce takes no more of one scope", d.store, same, scope)
	}
	if dryRun {
		d.showPlan(hooks.Plan{{Do: hooks.Add, Hook: hooks.Hook{Scope: scope}, To: destination, Why: "you named it"}})
		return false, nil
	}
	h, err := hooks.Register(ctx, d.hooks, d.book, scope, destination, hooks.ByHand)
	if err != nil {
		return false, err
	}
	d.tellDone(hooks.Done{Step: hooks.Step{Do: hooks.Add, Hook: h, To: destination}, Now: h})
	return true, nil
}

func howToEnable(h hooks.Hook) string {
	if h.Active {
		return ""
	}
	return fmt.Sprintf(", inactive: \"bcdev hooks enable %d\" switches it on", h.ID)
}
