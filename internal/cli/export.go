package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bcdev/capture"
	"bcdev/internal/config"
	"bcdev/internal/deliver"
	"bcdev/internal/export"
	"bcdev/internal/vault"
)

// exportForms are what an exchange can be written as.
var exportForms = []string{"fixture", "har", "curl", "postman", "http", "fetch", "go", "php", "powershell"}

type exportFlags struct {
	queryFlags
	out, form   string
	viaDoor     bool
	withSecrets bool
	filtered    bool
}

func (p *program) exportCommand() *cobra.Command {
	var flags exportFlags
	c := &cobra.Command{
		Use:   "export [REF]",
		Short: "Write exchanges as a fixture, HAR, curl, Postman, or code",
		Long: `export writes one exchange, or with filters all that match. A fixture is a secret-free file that
"bcdev replay FILE" brings to an app, offline and in CI. Nothing that is exported holds a secret unless
--with-secrets asks for it on a terminal.`,
		Example: "  bcdev export latest auth -o callbacks/install.json\n  bcdev export --as har --since 1h -o hour.har\n  bcdev export 17 --as curl",
		RunE: func(c *cobra.Command, args []string) error {
			flags.filtered = len(args) == 0
			form, err := flags.chooseForm()
			if err != nil {
				return usage(c, err)
			}
			flags.form = form
			return p.export(c.Context(), strings.Join(args, " "), flags)
		},
	}
	flags.add(c)
	f := c.Flags()
	f.StringVarP(&flags.out, "output", "o", "", "file to write, made 0600; standard output when empty")
	f.StringVar(&flags.form, "as", "", strings.Join(exportForms, ", ")+" (default fixture for one exchange, har for several)")
	f.BoolVar(&flags.viaDoor, "via-door", true, "let API calls go through the API door, which adds the token")
	f.BoolVar(&flags.withSecrets, "with-secrets", false, "write the access token; on a terminal only, after a question")
	return c
}

func (f exportFlags) chooseForm() (string, error) {
	switch {
	case f.form == "" && f.filtered:
		return "har", nil
	case f.form == "":
		return "fixture", nil
	case !slices.Contains(exportForms, f.form):
		return "", fmt.Errorf("--as %q: choose %s", f.form, strings.Join(exportForms, ", "))
	case f.filtered && f.form != "har" && f.form != "postman":
		return "", fmt.Errorf("--as %s writes one exchange: name it, or choose har or postman", f.form)
	}
	return f.form, nil
}

func (p *program) export(ctx context.Context, ref string, flags exportFlags) error {
	r, err := p.openReader(ctx, true)
	if err != nil {
		return err
	}
	defer r.close()
	o, err := p.exportOptions(r.cfg, r.vault, flags)
	if err != nil {
		return err
	}
	chosen, err := r.choose(ctx, ref, flags)
	if err != nil {
		return err
	}
	if len(chosen) == 0 {
		return failed("widen the filters, or see \"bcdev list\"", "no exchange matches")
	}
	files, err := render(chosen, flags.form, o)
	if err != nil {
		return err
	}
	return p.writeExport(files, flags)
}

func (p *program) exportOptions(cfg *config.Config, v *vault.Vault, flags exportFlags) (export.Options, error) {
	o := export.Options{
		API: cfg.BigCommerce.APIURL, Login: cfg.BigCommerce.LoginURL, Door: doorOf(cfg),
		App: cfg.App.ForwardTo, ViaDoor: flags.viaDoor, Version: programVersion(),
	}
	if !flags.withSecrets {
		return o, nil
	}
	if !isTerminal(p.Err) {
		return o, misused("leave it out: the file says where the token belongs", "--with-secrets needs a terminal")
	}
	fmt.Fprint(p.Err, "the export will hold the access token of the store. write it? [y/N] ")
	yes, err := p.agreed()
	if err != nil {
		return o, err
	}
	if !yes {
		return o, misused("leave --with-secrets out", "nothing was written")
	}
	o.ViaDoor = false
	o.WithSecrets = func(store string) string {
		token, err := v.Token(store)
		if err != nil {
			return ""
		}
		return token.Reveal()
	}
	return o, nil
}

// choose finds the exchange of ref, or without one all that the filters select, oldest first.
func (r *reader) choose(ctx context.Context, ref string, flags exportFlags) ([]capture.Exchange, error) {
	if ref != "" {
		e, err := r.journal.Get(ctx, ref)
		if err != nil {
			return nil, unknownRef(ref, err)
		}
		return []capture.Exchange{e}, nil
	}
	q, err := flags.query(time.Now())
	if err != nil {
		return nil, &exitError{code: exitUsage, err: err}
	}
	q.Bodies = true
	found, err := r.journal.Find(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("reading the journal: %w", err)
	}
	slices.Reverse(found)
	return found, nil
}

// exportFile is one file of an export; a Postman export has two.
type exportFile struct {
	suffix string // of the name, where there are several
	body   []byte
}

func render(chosen []capture.Exchange, form string, o export.Options) ([]exportFile, error) {
	one := func(text string) ([]exportFile, error) { return []exportFile{{body: []byte(text + "\n")}}, nil }
	e := chosen[0]
	switch form {
	case "fixture":
		var b bytes.Buffer
		err := deliver.WriteFixture(&b, e)
		return []exportFile{{body: b.Bytes()}}, err
	case "har":
		body, err := export.HAR(chosen, o)
		return []exportFile{{body: body}}, err
	case "postman":
		collection, environment, err := export.Postman(chosen, o)
		return []exportFile{{".postman_collection.json", collection}, {".postman_environment.json", environment}}, err
	case "curl":
		return one(export.Curl(e, o))
	case "http":
		return one(export.HTTP(e, o))
	case "fetch":
		return one(export.Fetch(e, o))
	case "go":
		return one(export.Go(e, o))
	case "php":
		return one(export.PHP(e, o))
	default:
		return one(export.PowerShell(e, o))
	}
}

func (p *program) writeExport(files []exportFile, flags exportFlags) error {
	if flags.out == "" {
		if len(files) > 1 {
			return misused("give -o NAME: NAME.postman_collection.json and NAME.postman_environment.json are written",
				"a Postman export is two files")
		}
		con := p.console()
		con.Print(string(files[0].body))
		return con.Err()
	}
	if err := os.MkdirAll(filepath.Dir(flags.out), 0o755); err != nil {
		return fmt.Errorf("making the folder: %w", err)
	}
	for _, f := range files {
		name := flags.out
		if f.suffix != "" {
			name = strings.TrimSuffix(name, ".json") + f.suffix
		}
		if err := writePrivate(name, f.body); err != nil {
			return failed("choose another file with -o", "writing %s: %w", name, err)
		}
		p.console().Notef("wrote %s", name)
	}
	return nil
}

func (p *program) importCommand() *cobra.Command {
	return &cobra.Command{
		Use: "import FILE", Short: "Read exchanges from a HAR file into the journal", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := p.openReader(c.Context(), false)
			if err != nil {
				return err
			}
			defer r.close()
			f, err := os.Open(args[0])
			if err != nil {
				return failed("name a HAR file that is there", "opening the file: %w", err)
			}
			defer f.Close()
			read, err := export.ReadHAR(f)
			if err != nil {
				return failed("a browser's network panel or \"bcdev export --as har\" writes one", "%s: %w", args[0], err)
			}
			ids, err := r.journal.Import(c.Context(), read)
			if err != nil {
				return fmt.Errorf("writing the journal: %w", err)
			}
			con := p.console()
			con.JSONLine("imported", map[string]any{"ids": ids})
			con.Notef("%s read", exchangesWere(int64(len(ids))))
			return con.Err()
		},
	}
}

func (p *program) pruneCommand() *cobra.Command {
	var flags queryFlags
	var all bool
	c := &cobra.Command{
		Use:   "prune",
		Short: "Remove exchanges: what is over the limits, or what the filters select",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := p.openReader(c.Context(), false)
			if err != nil {
				return err
			}
			defer r.close()
			query, err := pruneQuery(c, &flags, all)
			if err != nil {
				return usage(c, err)
			}
			n, err := r.journal.Prune(c.Context(), query)
			if err != nil {
				return fmt.Errorf("pruning: %w", err)
			}
			con := p.console()
			con.JSONLine("pruned", map[string]any{"removed": n})
			con.Notef("%s removed", exchangesWere(n))
			return con.Err()
		},
	}
	flags.addFilters(c)
	flags.limit = 1 // of no meaning here
	c.Flags().BoolVar(&all, "all", false, "remove everything")
	return c
}

// pruneQuery is what the filters select; without any, what is over the journal's limits.
func pruneQuery(c *cobra.Command, flags *queryFlags, all bool) (*capture.Query, error) {
	filtered := false
	for _, name := range []string{"kind", "door", "store", "topic", "status", "method", "path", "text", "since", "before"} {
		filtered = filtered || c.Flags().Changed(name)
	}
	switch {
	case all && filtered:
		return nil, errors.New("--all and filters together make no sense")
	case all:
		return &capture.Query{}, nil
	case !filtered:
		return nil, nil
	}
	q, err := flags.query(time.Now())
	return &q, err
}

// exchangesWere is the head of a sentence about n exchanges.
func exchangesWere(n int64) string {
	if n == 1 {
		return "1 exchange was"
	}
	return strconv.FormatInt(n, 10) + " exchanges were"
}
