package cli

import (
	"strings"
	"testing"
	"time"
)

func TestSlipsAreAnsweredWithWhatWasMeant(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"lst", `did you mean "bcdev list"?`},
		{"hooks lst", `did you mean "bcdev hooks list"?`},
		{"completion bsh", `did you mean "bcdev completion bash"?`},
		{"xyzzy", `unknown command "xyzzy"`},
		{"up extra", `bcdev up takes no argument, and got "extra"`},
		{"up --forwad-to x", "did you mean --forward-to?"},
		{"up --xyz", "unknown flag: --xyz"},
		{"show", `write "bcdev show REF"`},
		{"scopes GET", `write "bcdev scopes METHOD PATH"`},
		{"list -n x", `--limit takes a number, not "x"`},
		{"replay 1 --every x", `--every takes a time like 90s or 5m, not "x"`},
		{"list --kind foo", `--kind "foo": give one of auth,`},
		{"list --door x", `--door "x": give public, api or app`},
		{"list --status abc", `--status "abc": give a status (404)`},
		{"prune --kind api -n 5", "unknown shorthand flag"},
		{"demo --port 70000", "--port takes 0"},
		{"prune --status 4x", `--status "4x": give a status (404)`},
	} {
		r := &run{t: t, state: t.TempDir()}
		code, _, errs := r.command(nil, strings.Fields(c.args)...)
		if code != exitUsage || !strings.Contains(errs, c.says) || !strings.Contains(errs, "hint:") {
			t.Errorf("bcdev %s ended with %d and said:\n%s", c.args, code, errs)
		}
	}
}

func TestAnEnvFileThatCannotBeWrittenIsRefusedWithANextStep(t *testing.T) {
	r := &run{t: t, state: t.TempDir()}
	cfg := configFile(t, "stores: [{hash: abc123xyz, token: q7w2e9r4t1y6u3i8o5p0}]\n")
	code, _, errs := r.command(nil, "env", "--config", cfg, "--write", "/no/such/folder/.env")
	if code != exitFailed || !strings.Contains(errs, "writing /no/such/folder/.env: no such file or directory") || !strings.Contains(errs, "hint: name a file") {
		t.Errorf("code %d: %s", code, errs)
	}
}

func TestTheListsOwnWordForAnInstallSelectsInstalls(t *testing.T) {
	q := queryFlags{kinds: []string{"install"}, limit: 1}
	out, err := q.query(time.Time{})
	if err != nil || len(out.Kinds) != 1 || out.Kinds[0] != "auth" {
		t.Errorf("%v, %v", out.Kinds, err)
	}
	for _, status := range []string{"", "0", "404", "4xx", "<400", ">=500", "<=399", ">499"} {
		if _, err := (&queryFlags{status: status, limit: 1}).query(time.Time{}); err != nil {
			t.Errorf("status %q: %v", status, err)
		}
	}
}
