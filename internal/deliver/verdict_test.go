package deliver_test

import (
	"net/http"
	"testing"

	"bcdev/internal/deliver"
)

func TestVerdictsAgainstTheLastAttempt(t *testing.T) {
	j := openJournal(t)
	a := startApp(t, nil)
	d := deliverer(t, j, a, nil)
	e := loadOfYesterday(t, j)
	for i, step := range []struct {
		answer  http.HandlerFunc
		expect  string
		verdict string
		failed  string
		diff    string
	}{
		{says(200, `{"a":1,"b":2}`), "", deliver.Same, "", ""},
		{says(200, `{"a":1,"b":2}`), "2xx", deliver.Same, "", ""},
		{says(200, `{"a":1,"b":3}`), "302", deliver.Same, "the app answered 200, not 302", "@@ -1,4 +1,4 @@\n {\n   \"a\": 1,\n-  \"b\": 2\n+  \"b\": 3\n }\n"},
		{says(500, `{"a":1,"b":3}`), "", deliver.Regressed, "the app answered 500", ""},
		{says(404, `{"a":1,"b":3}`), "200,4xx", deliver.Failing, "", ""},
		{says(302, `{"a":1,"b":3}`), "302", deliver.Fixed, "", ""},
	} {
		a.answers(step.answer)
		res, err := d.Replay(t.Context(), e, deliver.Replay{Expect: step.expect})
		if err != nil {
			t.Fatal(i, err)
		}
		if res.Verdict != step.verdict || res.Failed != step.failed || res.Diff != step.diff {
			t.Errorf("step %d: %s, %q, diff\n%s", i, res.Verdict, res.Failed, res.Diff)
		}
		if res.Exchange.Verdict != step.verdict || i > 0 && res.Before == nil || res.Exchange.Attempt != max(i+1, 1) && i > 0 {
			t.Errorf("step %d is kept as %s, attempt %d", i, res.Exchange.Verdict, res.Exchange.Attempt)
		}
	}
	for _, bad := range []string{"ok", "20", "2xx,", "999"} {
		_, err := d.Replay(t.Context(), e, deliver.Replay{Expect: bad})
		hinted(t, err, "such as 302")
	}
}
