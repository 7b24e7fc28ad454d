package hooks

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const base = "https://now.example"

// situation is a store's registrations in short: "id maker scope destination", with - for inactive.
func situation(wanted []Want, lines ...string) Situation {
	makers := map[int64]Maker{}
	s := Situation{Base: base, Wanted: wanted, Maker: func(h Hook) Maker { return makers[h.ID] }}
	for _, line := range lines {
		var id int64
		var maker, scope, destination string
		fmt.Sscan(line, &id, &maker, &scope, &destination)
		makers[id] = map[string]Maker{"sync": BySync, "hand": ByHand}[strings.TrimPrefix(maker, "-")]
		s.Existing = append(s.Existing, Hook{ID: id, Scope: scope, Destination: destination, Active: !strings.HasPrefix(maker, "-")})
	}
	return s
}

func brief(p Plan) []string {
	var lines []string
	for _, s := range p {
		if s.Do != Leave {
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %d %s %s", s.Do, s.Hook.ID, s.Hook.Scope, s.To)))
		}
	}
	return lines
}

func TestAPlan(t *testing.T) {
	orders := []Want{{"store/order/*", "/webhooks"}}
	ten := make([]string, 0, 11)
	for n := range 10 {
		ten = append(ten, fmt.Sprintf("%d other store/order/* https://app%d.example/in", n+1, n))
	}
	for _, c := range []struct {
		name   string
		in     Situation
		want   []string
		leaves string // part of a reason to leave something alone
	}{
		{"adds what is missing", situation(orders), []string{"add 0 store/order/* https://now.example/webhooks"}, ""},
		{"leaves what is as it should be", situation(orders, "1 sync store/order/* https://now.example/webhooks"), nil, "as it should be"},
		{"switches on what is inactive", situation(orders, "1 -sync store/order/* https://now.example/webhooks"), []string{"enable 1 store/order/*"}, ""},
		{"re-points what an old address left", situation(orders, "1 sync store/order/* https://old.example/webhooks"),
			[]string{"re-point 1 store/order/* https://now.example/webhooks"}, ""},
		{"keeps path and query of what was made by hand", situation(nil, "1 -hand store/cart/* https://old.example/in/carts?a=b%2Fc"),
			[]string{"re-point 1 store/cart/* https://now.example/in/carts?a=b%2Fc"}, ""},
		{"removes its own that nobody wants any more", situation(orders, "1 sync store/order/* https://now.example/webhooks", "2 sync store/cart/* https://now.example/webhooks"),
			[]string{"remove 2 store/cart/*"}, ""},
		{"removes its own of an old address that nobody wants any more", situation(nil, "1 sync store/order/* https://old.example/webhooks"),
			[]string{"remove 1 store/order/*"}, ""},
		{"keeps what was made by hand", situation(nil, "1 hand store/cart/* https://now.example/webhooks"), nil, ""},
		{"does not make two of one", situation(orders, "1 sync store/order/* https://old.example/webhooks", "2 sync store/order/* https://older.example/webhooks"),
			[]string{"remove 2 store/order/*", "re-point 1 store/order/* https://now.example/webhooks"}, ""},
		{"never touches a stranger's", situation(nil, "1 other store/cart/* https://old.example/webhooks", "2 -other store/order/* https://elsewhere.example/"), nil, "not made by this bcdev"},
		{"does not add beside a stranger's that does the same", situation(orders, "1 -other store/order/* https://now.example/webhooks"), nil, "bcdev hooks enable 1"},
		{"says when the platform takes no more", situation(orders, ten...), nil, "10 webhooks of this scope"},
		{"makes room before it adds", situation([]Want{{"store/order/*", "/b"}}, append(ten[:9:9], "10 sync store/order/* https://now.example/a")...),
			[]string{"remove 10 store/order/*", "add 0 store/order/* https://now.example/b"}, ""},
		{"adds a want that is written twice once", situation(append(orders, orders...)), []string{"add 0 store/order/* https://now.example/webhooks"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			plan := Make(c.in)
			if diff := cmp.Diff(c.want, brief(plan)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			reasons := ""
			for _, s := range plan {
				if s.Do == Leave {
					reasons += s.Why + "\n"
				}
			}
			if !strings.Contains(reasons, c.leaves) {
				t.Errorf("left alone because:\n%s", reasons)
			}
		})
	}
}

func TestAStrangersIsTakenOverWhenToldTo(t *testing.T) {
	s := situation(nil, "1 other store/cart/* https://old.example/webhooks", "2 other store/cart/* https://elsewhere.example/webhooks")
	s.Adopt = func(h Hook) bool { return h.Host() == "old.example" }
	if diff := cmp.Diff([]string{"re-point 1 store/cart/* https://now.example/webhooks"}, brief(Make(s))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAPlanThatWasMadeLeavesNothingToDo(t *testing.T) {
	s := situation([]Want{{"store/order/*", "/webhooks"}, {"store/product/updated", "/p"}},
		"1 sync store/order/* https://old.example/webhooks", "2 -sync store/cart/* https://old.example/webhooks", "3 -hand store/sku/* https://old.example/x")
	made := situation(s.Wanted)
	maker := map[int64]Maker{}
	made.Maker = func(h Hook) Maker { return maker[h.ID] }
	id := int64(100)
	for _, step := range Make(s) {
		h := step.Hook
		h.Active = true
		switch step.Do {
		case Remove:
			continue
		case Add:
			h.ID, h.Destination, maker[id] = id, step.To, BySync
			id++
		case Repoint:
			h.Destination = step.To
			maker[h.ID] = s.Maker(h)
		}
		made.Existing = append(made.Existing, h)
	}
	if again := Make(made); again.Changes() != 0 || len(made.Existing) != 3 {
		t.Errorf("a second plan would still change %v", brief(again))
	}
}

func TestWhatNeedsAnEye(t *testing.T) {
	s := situation(nil,
		"1 sync store/order/* https://old.example/webhooks", "2 other store/cart/* https://old.example/webhooks",
		"3 other store/cart/* https://elsewhere.example/webhooks", "4 -other store/sku/* https://now.example/webhooks",
		"5 -other store/sku/* https://elsewhere.example/webhooks", "6 hand store/sku/* https://now.example/webhooks")
	elsewhere, inactive := Astray(s, func(host string) bool { return host == "old.example" })
	ids := func(hooks []Hook) (list []int64) {
		for _, h := range hooks {
			list = append(list, h.ID)
		}
		return list
	}
	if diff := cmp.Diff([][]int64{{1, 2}, {4}}, [][]int64{ids(elsewhere), ids(inactive)}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAPublicURLThatBigCommerceWouldNotDeliverTo(t *testing.T) {
	for url, fine := range map[string]bool{
		"https://you.ngrok-free.app": true, "https://you.example:443": true, "https://amber-otter.localhost:7443": true,
		"http://you.example": false, "https://you.example:8443": false, "": false, "https://localhost.example:99": false,
	} {
		if err := CheckBase(url); (err == nil) != fine {
			t.Errorf("%q: %v", url, err)
		}
	}
}
