package deliver

import (
	"context"
	"fmt"
	"strings"

	"bcdev/capture"
)

// The verdicts on an attempt, against the attempt before it.
const (
	Same      = "same"
	Fixed     = "fixed"
	Regressed = "regressed"
	Failing   = "failing"
)

// verdict compares an attempt with the one before it. When there was none, a good answer is
// "same": nothing is known to have changed.
func verdict(before *capture.Exchange, now capture.Exchange) string {
	wasGood := before == nil || good(*before)
	switch isGood := good(now); {
	case isGood && wasGood:
		return Same
	case isGood:
		return Fixed
	case wasGood && before != nil:
		return Regressed
	default:
		return Failing
	}
}

func good(e capture.Exchange) bool {
	return e.Err == "" && e.Status >= 100 && e.Status < 400
}

// judged gives a its verdict.
func (d *Deliverer) judged(ctx context.Context, a capture.Exchange) capture.Exchange {
	a.Verdict = verdict(d.before(ctx, a.Of, false), a)
	return a
}

// before finds the last attempt to deliver the exchange with ID of, or nil.
func (d *Deliverer) before(ctx context.Context, of int64, bodies bool) *capture.Exchange {
	if d.o.Journal == nil || of == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
	defer cancel()
	found, err := d.o.Journal.Find(ctx, capture.Query{Door: capture.Local, Of: of, Limit: 1, Bodies: bodies})
	if err != nil {
		d.o.Logger.Error("the last attempt cannot be read", "of", of, "error", err)
		return nil
	}
	if len(found) == 0 {
		return nil
	}
	return &found[0]
}

// failure says why the app's answer counts as a failure, or "". Expect is a list of statuses,
// such as "302" or "2xx,404"; without one, anything below 400 is fine.
func failure(e capture.Exchange, expect string) string {
	switch {
	case e.Err != "":
		return e.Err
	case expect == "" && e.Status >= 400:
		return fmt.Sprintf("the app answered %d", e.Status)
	case expect != "" && !expected(e.Status, expect):
		return fmt.Sprintf("the app answered %d, not %s", e.Status, expect)
	}
	return ""
}

func expected(status int, expect string) bool {
	for want := range strings.SplitSeq(expect, ",") {
		if matches(fmt.Sprint(status), strings.ToLower(strings.TrimSpace(want))) {
			return true
		}
	}
	return false
}

// matches compares digit by digit; x stands for any.
func matches(status, want string) bool {
	if len(status) != len(want) {
		return false
	}
	for i := range status {
		if want[i] != 'x' && want[i] != status[i] {
			return false
		}
	}
	return true
}

// checkExpect refuses what can never match.
func checkExpect(expect string) error {
	for want := range strings.SplitSeq(expect, ",") {
		want = strings.ToLower(strings.TrimSpace(want))
		if want == "" && expect == "" {
			return nil
		}
		if len(want) != 3 || want[0] < '1' || want[0] > '5' || strings.Trim(want, "0123456789x") != "" {
			return &ReplayError{
				Problem: fmt.Sprintf("%q is no status to expect", want),
				Next:    "give a status such as 302, or a family such as 2xx; several are separated by commas",
			}
		}
	}
	return nil
}
