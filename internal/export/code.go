package export

import (
	"encoding/base64"
	"fmt"
	"go/format"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"bcdev/capture"
)

// Fetch is the request in JavaScript, a module for Node or a browser's console.
func Fetch(e capture.Exchange, o Options) string {
	r := newRequest(e, o)
	bodiless := r.method == http.MethodGet || r.method == http.MethodHead
	if bodiless && len(r.body) > 0 {
		r.notes = append(r.notes, "fetch sends no body with "+r.method)
	}
	var b strings.Builder
	b.WriteString(r.comments("//"))
	fmt.Fprintf(&b, "const response = await fetch(%s, {\n  method: %s,\n  redirect: \"manual\",\n", quoteJS(r.url), quoteJS(r.method))
	b.WriteString("  headers: [\n")
	switch {
	case r.token != "":
		fmt.Fprintf(&b, "    [\"X-Auth-Token\", %s],\n", quoteJS(r.token))
	case r.auth:
		fmt.Fprintf(&b, "    [\"X-Auth-Token\", process.env.%s],\n", TokenVariable)
	}
	for _, p := range r.header {
		fmt.Fprintf(&b, "    [%s, %s],\n", quoteJS(p.name), quoteJS(latin1(p.value)))
	}
	b.WriteString("  ],\n")
	if len(r.body) > 0 && !bodiless {
		fmt.Fprintf(&b, "  body: %s,\n", r.jsBody())
	}
	b.WriteString("});\nconsole.log(response.status, await response.text());\n")
	return b.String()
}

// jsBody is the body as a string where that changes nothing: fetch writes strings as UTF-8 and
// adds a Content-Type when there is none.
func (r request) jsBody() string {
	if utf8.Valid(r.body) && r.has("Content-Type") {
		return quoteJS(string(r.body))
	}
	return fmt.Sprintf("Uint8Array.from(atob(%q), (c) => c.charCodeAt(0))", base64.StdEncoding.EncodeToString(r.body))
}

// Go is the request as a Go program.
func Go(e capture.Exchange, o Options) string {
	r := newRequest(e, o)
	imports := []string{"fmt", "io", "net/http"}
	body := "nil"
	if len(r.body) > 0 {
		body = "strings.NewReader(" + strconv.Quote(string(r.body)) + ")"
		imports = append(imports, "strings")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\treq, err := http.NewRequest(%s, %s, %s)\n", strconv.Quote(r.method), strconv.Quote(r.url), body)
	b.WriteString("\tif err != nil {\n\t\tpanic(err)\n\t}\n")
	switch {
	case r.token != "":
		fmt.Fprintf(&b, "\treq.Header.Set(\"X-Auth-Token\", %s)\n", strconv.Quote(r.token))
	case r.auth:
		fmt.Fprintf(&b, "\treq.Header.Set(\"X-Auth-Token\", os.Getenv(%q))\n", TokenVariable)
		imports = append(imports, "os")
	}
	for _, p := range r.header {
		fmt.Fprintf(&b, "\treq.Header.Add(%s, %s)\n", strconv.Quote(p.name), strconv.Quote(p.value))
	}
	b.WriteString(goEnding)
	slices.Sort(imports)
	program := r.comments("//") + "package main\n\nimport (\n"
	for _, name := range imports {
		program += "\t" + strconv.Quote(name) + "\n"
	}
	program += ")\n\nfunc main() {\n" + b.String()
	if neat, err := format.Source([]byte(program)); err == nil {
		return string(neat)
	}
	return program
}

const goEnding = `	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		panic(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		panic(err)
	}
	fmt.Println(res.Status)
	fmt.Println(string(body))
}
`

// PHP is the request in PHP with its curl extension.
func PHP(e capture.Exchange, o Options) string {
	r := newRequest(e, o)
	var b strings.Builder
	b.WriteString("<?php\n" + r.comments("//"))
	fmt.Fprintf(&b, "$ch = curl_init(%s);\ncurl_setopt_array($ch, [\n", quotePHP(r.url))
	b.WriteString("    CURLOPT_RETURNTRANSFER => true,\n    CURLOPT_PATH_AS_IS => true,\n")
	if r.method == http.MethodHead {
		b.WriteString("    CURLOPT_NOBODY => true,\n")
	} else {
		fmt.Fprintf(&b, "    CURLOPT_CUSTOMREQUEST => %s,\n", quotePHP(r.method))
	}
	b.WriteString("    CURLOPT_HTTPHEADER => [\n")
	switch {
	case r.token != "":
		fmt.Fprintf(&b, "        %s,\n", quotePHP("X-Auth-Token: "+r.token))
	case r.auth:
		fmt.Fprintf(&b, "        \"X-Auth-Token: \" . getenv(%q),\n", TokenVariable)
	}
	for _, p := range r.header {
		fmt.Fprintf(&b, "        %s,\n", quotePHP(headerLine(p)))
	}
	if len(r.body) > 0 && !r.has("Content-Type") {
		b.WriteString("        \"Content-Type:\",\n")
	}
	b.WriteString("    ],\n")
	if len(r.body) > 0 {
		fmt.Fprintf(&b, "    CURLOPT_POSTFIELDS => %s,\n", quotePHP(string(r.body)))
	}
	b.WriteString("]);\n$body = curl_exec($ch);\necho curl_getinfo($ch, CURLINFO_RESPONSE_CODE), \"\\n\", $body, \"\\n\";\n")
	return b.String()
}
