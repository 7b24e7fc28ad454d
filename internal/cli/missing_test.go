package cli

import (
	"strings"
	"testing"
)

func TestEnvLeavesOutAnAddressThatOnlyARunningBcdevKnows(t *testing.T) {
	r := start(t, nil, "version")
	r.ended()
	env := []string{"BC_CLIENT_ID=1", "BC_CLIENT_SECRET=" + guideSecret, "BCDEV_STORES={hash: abc123, token: " + guideToken + "}"}
	cases := []struct{ listen, line string }{
		{"127.0.0.1:7171", "export BC_API_URL='http://127.0.0.1:7171'"},
		{"127.0.0.1:0", ""},
		{"unix:///tmp/nobody/door.sock", ""},
	}
	for _, c := range cases {
		code, out, errs := r.command(append(env, "BCDEV_PROXY_LISTEN="+c.listen), "env")
		if code != 0 || strings.Contains(out, "BC_API_URL") != (c.line != "") || !strings.Contains(out, c.line) {
			t.Errorf("%s: exit code %d, printed:\n%s%s", c.listen, code, out, errs)
		}
		if c.line == "" && !strings.Contains(errs, `start "bcdev up"`) {
			t.Errorf("%s: no word about what is missing: %s", c.listen, errs)
		}
	}
}

func TestVerifyNamesWhatAShortenedPayloadLacks(t *testing.T) {
	const head = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9"
	r := start(t, nil, "version")
	r.ended()
	env := []string{"BC_CLIENT_ID=1", "BC_CLIENT_SECRET=" + guideSecret}
	for _, payload := range []string{head, head + ".eyJhdWQiOiIx", head + ".eyJhdWQiOiIxIn0.", "https://x.example/load?signed_payload_jwt=" + head + ".eyJhdWQi"} {
		code, out, _ := r.command(env, "verify", payload)
		if code != 1 || !strings.Contains(out, "cut off") {
			t.Errorf("%s: exit code %d, printed:\n%s", payload, code, out)
		}
	}
	if code, _, errs := r.command(env, "verify", "https://x.example/load?a=b"); code != 2 || !strings.Contains(errs, "no signed payload") {
		t.Errorf("a URL without a payload: exit code %d: %s", code, errs)
	}
}

func TestWhatCannotBeAskedForIsAUsageError(t *testing.T) {
	r := start(t, nil, "version")
	r.ended()
	env := []string{"BC_CLIENT_ID=1", "BC_CLIENT_SECRET=" + guideSecret, "BCDEV_STORES={hash: abc123, token: " + guideToken + "}"}
	cases := []struct {
		hint string
		args []string
	}{
		{"did you mean store/order/created", []string{"trigger", "store/order/creatd", "--to", "http://127.0.0.1:1"}},
		{"--allow-remote", []string{"trigger", "load", "--to", "http://192.0.2.7"}},
		{"--allow-remote", []string{"trigger", "load", "--to", "http://elsewhere.invalid"}},
		{"local app", []string{"trigger", "load", "--to", "https://api.bigcommerce.com", "--allow-remote"}},
	}
	for _, c := range cases {
		code, out, errs := r.command(env, c.args...)
		if code != exitUsage || out != "" || !strings.Contains(errs, c.hint) {
			t.Errorf("%v: exit code %d, printed %q and %q", c.args, code, out, errs)
		}
	}
}

func TestUpWithoutAnAuthtokenSaysWhereToGetOne(t *testing.T) {
	r := start(t, []string{"BC_CLIENT_ID=1", "BC_CLIENT_SECRET=" + guideSecret,
		"BCDEV_PROXY_LISTEN=127.0.0.1:0", "BCDEV_INSPECTOR_LISTEN=127.0.0.1:0"}, "up", "--json")
	problem := r.next("problem")
	if !strings.Contains(problem.text("hint"), "NGROK_AUTHTOKEN") || problem.text("code") != "usage" {
		t.Errorf("the problem is %v", problem)
	}
	if code := r.ended(); code != exitUsage {
		t.Errorf("exit code %d", code)
	}
}
