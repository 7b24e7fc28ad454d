package export

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"bcdev/capture"
	"bcdev/internal/redact"
)

// argLimit is the length above which a body is piped: Linux takes 128 KiB an argument.
const argLimit = 96 << 10

// Curl is the request as a command for a POSIX shell.
func Curl(e capture.Exchange, o Options) string {
	r := newRequest(e, o)
	args := []string{"curl"}
	if strings.ContainsAny(r.url, "[]{}") {
		args = append(args, "--globoff")
	}
	if strings.Contains(r.url, "/.") {
		args = append(args, "--path-as-is")
	}
	args = append(args, r.curlMethod()...)
	args = append(args, shellWord(r.url))
	switch {
	case r.token != "":
		args = append(args, "-H "+shellWord("X-Auth-Token: "+r.token))
	case r.auth:
		args = append(args, `-H "X-Auth-Token: $`+TokenVariable+`"`)
	}
	for _, p := range r.header {
		args = append(args, "-H "+shellWord(headerLine(p)))
	}
	before, body := r.curlBody()
	return r.comments("#") + before + strings.Join(append(args, body...), " \\\n  ") + "\n"
}

// headerLine is a field in curl's spelling: an empty value is a semicolon, because a colon with
// nothing behind it removes the field (curl manual, --header).
func headerLine(p pair) string {
	if p.value == "" {
		return p.name + ";"
	}
	return p.name + ": " + p.value
}

func (r request) curlMethod() []string {
	switch {
	case r.method == http.MethodHead:
		return []string{"--head"}
	case r.method == http.MethodGet && len(r.body) == 0, r.method == http.MethodPost && len(r.body) > 0:
		return nil
	}
	return []string{"-X " + shellWord(r.method)}
}

// curlBody returns what stands before curl and what stands behind its other arguments.
func (r request) curlBody() (before string, args []string) {
	if len(r.body) == 0 {
		return "", nil
	}
	if !r.has("Content-Type") {
		args = append(args, "-H 'Content-Type:'") // curl would claim that it is a form
	}
	text := string(r.body)
	if redact.TerminalText(text) != text {
		return "printf " + printfFormat(r.body) + " | ", append(args, "--data-binary @-")
	}
	if len(text) > argLimit {
		return "printf %s " + quoteShell(text) + " | ", append(args, "--data-binary @-")
	}
	return "", append(args, "--data-raw "+quoteShell(text))
}

// PowerShell is the request as a command for PowerShell 5.1 and later.
func PowerShell(e capture.Exchange, o Options) string {
	r := newRequest(e, o)
	var b strings.Builder
	b.WriteString(r.comments("#"))
	b.WriteString("$headers = @{\n")
	switch {
	case r.token != "":
		fmt.Fprintf(&b, "  'X-Auth-Token' = %s\n", quotePowerShell(r.token))
	case r.auth:
		fmt.Fprintf(&b, "  'X-Auth-Token' = $env:%s\n", TokenVariable)
	}
	seen := map[string]bool{"content-type": true, "user-agent": true} // they have parameters of their own
	for _, p := range r.header {
		if name := strings.ToLower(p.name); !seen[name] {
			seen[name] = true
			fmt.Fprintf(&b, "  %s = %s\n", quotePowerShell(p.name), quotePowerShell(r.get(p.name)))
		}
	}
	b.WriteString("}\n")
	fmt.Fprintf(&b, "Invoke-WebRequest -UseBasicParsing -Method %s -Uri %s -Headers $headers", quotePowerShell(r.method), quotePowerShell(r.url))
	for _, own := range []struct{ parameter, name string }{{"-ContentType", "Content-Type"}, {"-UserAgent", "User-Agent"}} {
		if v := r.get(own.name); v != "" {
			fmt.Fprintf(&b, " %s (%s)", own.parameter, quotePowerShell(v))
		}
	}
	if len(r.body) > 0 {
		// Bytes, because 5.1 sends text as ISO 8859-1.
		fmt.Fprintf(&b, " -Body ([Convert]::FromBase64String('%s'))", base64.StdEncoding.EncodeToString(r.body))
	}
	b.WriteString("\n")
	return b.String()
}

// HTTP is the request as it stands in an .http file: what editors' HTTP clients read.
func HTTP(e capture.Exchange, o Options) string {
	r := newRequest(e, o)
	var b strings.Builder
	b.WriteString(r.comments("#"))
	fmt.Fprintf(&b, "%s %s HTTP/1.1\n", redact.Terminal(r.method), r.url)
	switch {
	case r.token != "":
		fmt.Fprintf(&b, "X-Auth-Token: %s\n", r.token)
	case r.auth:
		fmt.Fprintf(&b, "X-Auth-Token: $%s\n", TokenVariable)
	}
	for _, p := range r.header {
		fmt.Fprintf(&b, "%s: %s\n", p.name, p.value)
	}
	b.WriteString("\n")
	b.Write(r.body)
	return b.String()
}
