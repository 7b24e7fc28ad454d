package cli

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bcdev/internal/serve"
	"bcdev/proxy"
)

// The files of the forward door's certificate authority, in the state folder.
const (
	caFile       = "ca.pem"
	caKeyFile    = "ca.key"
	caBundleFile = "ca-bundle.pem"
)

// forwardServer answers at the forward door, with a certificate authority made on this machine.
func (s *session) forwardServer() (*http.Server, error) {
	ca, err := keepCA(s.state, time.Now())
	if err != nil {
		return nil, err
	}
	o := proxy.ForwardOptions{Tunnelled: func(host string) { s.log.Debug("tunnelled blind", "host", host) }}
	if s.doorKey != "" {
		o.Key = func(key string) bool { return secret(s.doorKey).Equal(key) }
	}
	for _, l := range []net.Listener{s.listeners.api, s.listeners.window, s.listeners.forward} {
		if l != nil {
			o.Self = append(o.Self, l.Addr().String())
		}
	}
	return serve.New(s.named(s.door.Forward(ca, o)), serve.Limits{Logger: s.log}), nil
}

// keepCA reads the certificate authority of the state folder, or makes one; one that has expired,
// or will within a day, is made anew.
func keepCA(dir string, now time.Time) (tls.Certificate, error) {
	ca, err := readCA(dir)
	if err == nil && now.Add(24*time.Hour).Before(ca.Leaf.NotAfter) {
		return ca, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return ca, err
	}
	certPEM, keyPEM, err := proxy.NewCA(now)
	if err != nil {
		return ca, fmt.Errorf("making a certificate authority: %w", err)
	}
	if err := writePrivate(filepath.Join(dir, caKeyFile), keyPEM); err != nil {
		return ca, fmt.Errorf("keeping the certificate authority's key: %w", err)
	}
	if err := writePrivate(filepath.Join(dir, caFile), certPEM); err != nil {
		return ca, fmt.Errorf("keeping the certificate authority: %w", err)
	}
	return readCA(dir)
}

func readCA(dir string) (tls.Certificate, error) {
	ca, err := tls.LoadX509KeyPair(filepath.Join(dir, caFile), filepath.Join(dir, caKeyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return ca, err
	}
	if err != nil {
		return ca, failed("remove it with \"bcdev ca remove\"; the next start of the forward door makes a new one",
			"reading the certificate authority: %w", err)
	}
	return ca, nil
}

// systemBundles are where systems keep the authorities that everybody trusts, in one PEM file.
var systemBundles = []string{
	"/etc/ssl/certs/ca-certificates.crt",                // Debian, Ubuntu, Arch, Gentoo
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // Fedora, RHEL
	"/etc/ssl/ca-bundle.pem",                            // openSUSE
	"/etc/ssl/cert.pem",                                 // macOS, Alpine, BSD
}

// bundleCA writes the system's authorities and ours into one file of the state folder, for
// programs whose setting replaces their list instead of adding to it. Whole is false when the
// system's were not found.
func bundleCA(dir string) (file string, whole bool, err error) {
	ours, err := os.ReadFile(filepath.Join(dir, caFile))
	if err != nil {
		return "", false, fmt.Errorf("reading the certificate authority: %w", err)
	}
	for _, name := range systemBundles {
		theirs, err := os.ReadFile(name)
		if err == nil && len(theirs) > 0 {
			file, whole = filepath.Join(dir, caBundleFile), true
			return file, whole, writePrivate(file, append(append(theirs, '\n'), ours...))
		}
	}
	return filepath.Join(dir, caFile), false, nil
}

func (p *program) caCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "ca", Short: "The certificate authority of the forward door", Args: cobra.NoArgs,
		Long: `The forward door looks into calls to bigcommerce.com with certificates of an authority that is made on
this machine, constrained to bigcommerce.com, and valid for a year. bcdev never adds it to a trust store:
"bcdev env --forward" prints what a program needs to trust it for itself.`,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(
		&cobra.Command{Use: "show", Short: "Show the certificate", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error { return p.showCA() }},
		&cobra.Command{Use: "path", Short: "Print the certificate's file, made where it is missing", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error { return p.pathCA() }},
		&cobra.Command{Use: "remove", Short: "Remove key and certificate", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error { return p.removeCA() }},
	)
	return c
}

func (p *program) showCA() error {
	dir, err := p.state()
	if err != nil {
		return err
	}
	ca, err := readCA(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return failed("\"bcdev ca path\" makes one, and so does the forward door", "there is no certificate authority in %s", dir)
	}
	if err != nil {
		return err
	}
	con := p.console()
	sum := sha256.Sum256(ca.Leaf.Raw)
	if p.json {
		con.JSONLine("ca", map[string]any{
			"file": filepath.Join(dir, caFile), "sha256": hex.EncodeToString(sum[:]),
			"not_before": ca.Leaf.NotBefore.UTC(), "not_after": ca.Leaf.NotAfter.UTC(),
			"permitted": permitted(ca.Leaf),
		})
		return con.Err()
	}
	con.Table([]string{"", ""}, [][]string{
		{"file", filepath.Join(dir, caFile)},
		{"name", ca.Leaf.Subject.CommonName},
		{"only for", strings.Join(permitted(ca.Leaf), ", ")},
		{"valid until", ca.Leaf.NotAfter.Local().Format(time.DateTime)},
		{"SHA-256", strings.ToUpper(hex.EncodeToString(sum[:]))},
	})
	return con.Err()
}

func permitted(c *x509.Certificate) []string { return c.PermittedDNSDomains }

func (p *program) pathCA() error {
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
	con := p.console()
	con.Print(filepath.Join(dir, caFile) + "\n")
	return con.Err()
}

func (p *program) removeCA() error {
	dir, err := p.state()
	if err != nil {
		return err
	}
	removed := false
	for _, name := range []string{caKeyFile, caFile, caBundleFile} {
		err := os.Remove(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the certificate authority: %w", err)
		}
		removed = removed || err == nil
	}
	con := p.console()
	if !removed {
		con.Notef("there was no certificate authority in %s", dir)
		return nil
	}
	con.Notef("key and certificate are gone from %s", dir)
	con.Notef("if you added the certificate to a trust store by hand, remove it there too: look for the name \"bcdev\"")
	return con.Err()
}
