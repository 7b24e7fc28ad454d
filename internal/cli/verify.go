package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
	"bcdev/internal/redact"
)

// pasteLimit bounds what is read from standard input.
const pasteLimit = 1 << 20

type verifyFlags struct {
	webhook string
	headers []string
	at      string
}

func (p *program) verifyCommand() *cobra.Command {
	var flags verifyFlags
	c := &cobra.Command{
		Use:   "verify JWT|URL|-",
		Short: "Check a signed payload or a webhook offline, and say why it fails",
		Long: `verify checks a signed_payload_jwt or a legacy signed_payload with the app's client secret, and names the
cause when it fails. Give the payload, the callback's URL, or - to read one from standard input.
With --webhook FILE and -H it checks a webhook's signature over the file's bytes.`,
		Example: "  bcdev verify 'https://you.ngrok-free.app/load?signed_payload_jwt=eyJ…'\n" +
			"  bcdev verify --webhook body.json -H 'webhook-id: msg_1' -H 'webhook-timestamp: 1795000005' -H 'webhook-signature: v1,…'",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			now, err := flags.now()
			if err != nil {
				return usage(c, err)
			}
			if flags.webhook != "" {
				return p.verifyWebhook(flags, now)
			}
			if len(args) == 0 {
				return usage(c, errors.New("what is to be verified? give a payload, a URL, or - for standard input"))
			}
			return p.verifyPayload(args[0], now)
		},
	}
	f := c.Flags()
	f.StringVar(&flags.webhook, "webhook", "", "file with a webhook's body, or - for standard input")
	f.StringArrayVarP(&flags.headers, "header", "H", nil, "a header of the webhook, 'name: value'")
	f.StringVar(&flags.at, "at", "", "the time to check against (2026-11-22T15:04:05Z), instead of now")
	return c
}

func (f verifyFlags) now() (time.Time, error) {
	if f.at == "" {
		return time.Now(), nil
	}
	at, err := time.Parse(time.RFC3339, f.at)
	if err != nil {
		return at, fmt.Errorf("--at %q: give a time like 2026-11-22T15:04:05Z", f.at)
	}
	return at, nil
}

// verifyPayload shows what a payload says and whether it is to be believed.
func (p *program) verifyPayload(arg string, now time.Time) error {
	cfg, err := p.config(nil)
	if err != nil {
		return err
	}
	if err := needsApp(cfg); err != nil {
		return err
	}
	text, err := p.pasted(arg)
	if err != nil {
		return err
	}
	value, legacy, err := payloadIn(text)
	if err != nil {
		return err
	}
	var payload bigcommerce.Payload
	if legacy {
		payload, err = appOf(cfg).VerifyLegacy(value)
	} else {
		payload, err = appOf(cfg).VerifyPayload(value, now)
	}
	con := p.consoleAt(func() time.Time { return now })
	con.Lifecycle(capture.Exchange{Kind: "verify", Store: payload.Store, At: now}, payload, err)
	if err != nil {
		return &saidError{exitFailed}
	}
	return con.Err()
}

// pasted is the argument, or what standard input holds.
func (p *program) pasted(arg string) (string, error) {
	if arg != "-" {
		return strings.TrimSpace(arg), nil
	}
	b, err := io.ReadAll(io.LimitReader(p.In, pasteLimit))
	if err != nil {
		return "", fmt.Errorf("reading standard input: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// payloadIn finds the payload in a URL, a query, a log line or by itself, and says whether it has
// the legacy form.
func payloadIn(text string) (payload string, legacy bool, err error) {
	if text == "" {
		return "", false, misused("paste a payload or a URL", "there is nothing to verify")
	}
	payload, legacy, ok := bigcommerce.FindPayload(text)
	if !ok {
		return "", false, misused("paste the URL of a load, uninstall or remove_user callback", "the text carries no signed payload")
	}
	return payload, legacy, nil
}

// verifyWebhook checks a signature over the bytes of a file.
func (p *program) verifyWebhook(flags verifyFlags, now time.Time) error {
	cfg, err := p.config(nil)
	if err != nil {
		return err
	}
	if err := needsApp(cfg); err != nil {
		return err
	}
	headers, err := parseHeaders(flags.headers)
	if err != nil {
		return err
	}
	body, err := p.file(flags.webhook)
	if err != nil {
		return err
	}
	event, err := bigcommerce.ParseWebhook(body)
	if err != nil {
		return failed("give the body as it arrived, byte for byte", "reading the webhook: %w", err)
	}
	verdict := appOf(cfg).VerifyWebhook(headers, body, now)
	con := p.consoleAt(func() time.Time { return now })
	con.Webhook(capture.Exchange{Kind: capture.Hook, Topic: event.Scope, Store: event.Store, At: now}, event, verdict)
	if verdict != nil {
		if !p.json {
			con.Problem("signature", verdict)
		}
		return &saidError{exitFailed}
	}
	return con.Err()
}

// file reads a file, or standard input for "-".
func (p *program) file(name string) ([]byte, error) {
	if name == "-" {
		b, err := io.ReadAll(io.LimitReader(p.In, pasteLimit))
		if err != nil {
			return nil, fmt.Errorf("reading standard input: %w", err)
		}
		return b, nil
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, failed("name a file that is there, or - for standard input", "reading %s: %w", redact.Terminal(name), err)
	}
	return b, nil
}

// parseHeaders reads "name: value" lines.
func parseHeaders(lines []string) (http.Header, error) {
	h := http.Header{}
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" || strings.ContainsAny(line, "\r\n\x00") {
			return nil, misused("write it as 'name: value'", "%q is not a header", redact.Terminal(line))
		}
		h.Add(name, strings.TrimSpace(value))
	}
	return h, nil
}

// lines reads standard input line by line, each at most 1 MiB.
func (p *program) lines(each func(string)) (n int, err error) {
	in := bufio.NewScanner(p.In)
	in.Buffer(make([]byte, 64<<10), pasteLimit)
	for in.Scan() {
		n++
		each(in.Text())
	}
	if err := in.Err(); err != nil {
		return n, fmt.Errorf("reading standard input: %w", err)
	}
	return n, nil
}
