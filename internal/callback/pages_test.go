package callback_test

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
)

func TestC08ControlCharactersOfAStrangerAreShownAsMarks(t *testing.T) {
	d := openDoor(t, nil)
	_, page := d.get("/auth?error=%1b]0;pwned%07&error_description=%1b]52;c;ZXZpbA==%07%E2%80%AE<script>alert(1)</script>")
	if strings.ContainsAny(page, "\x1b\x07\u202e") || strings.Contains(page, "<script") {
		t.Errorf("the page lets something through:\n%q", page)
	}
}

func TestThePageMayBeFramedAndRunsNothing(t *testing.T) {
	d := openDoor(t, func(d *door) {
		d.o.Wanted = []string{"store_v2_orders", "store_v2_products"}
		d.o.TryNext = func(store string) []string { return []string{"curl http://127.0.0.1:7070/v2/store # " + store} }
	})
	resp, page := d.get(install + "&external_install=1")
	if got := resp.Header.Get("X-Frame-Options"); got != "" {
		t.Errorf("X-Frame-Options is %q", got)
	}
	policy := resp.Header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "frame-ancestors *") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "script-src") {
		t.Errorf("policy is %q", policy)
	}
	_, rest, _ := strings.Cut(page, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	if !strings.Contains(policy, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
		t.Errorf("the policy forbids the page's own style: %q", policy)
	}
	if resp.Header.Get("Referrer-Policy") != "no-referrer" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the address, which holds the code, may leak: %v", resp.Header)
	}
	for _, want := range []string{"abc123xyz", "store_v2_orders", "merchant@example.com", "curl http://127.0.0.1:7070/v2/store",
		"Missing", "store_v2_products", "https://login.bigcommerce.com/app/" + clientID + "/install/succeeded"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not name %q", want)
		}
	}
	if strings.Contains(page, "k3b9x0q2m5w7") || strings.Contains(page, "q7w2e9r4") {
		t.Error("the page shows code or token")
	}
}
