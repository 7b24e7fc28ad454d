package hooks

import (
	"fmt"
	"slices"
	"strings"
)

// Want is one registration that a store should have.
type Want struct {
	Scope string
	Path  string // of the public URL, from "/" on
}

// Maker says on whose behalf a registration was made.
type Maker int

// The makers.
const (
	Stranger Maker = iota // the app itself, another program, another bcdev
	BySync                // bcdev, because the configuration wanted it
	ByHand                // bcdev, because it was told to add it
)

// Situation is what a plan is made from.
type Situation struct {
	Existing []Hook
	Wanted   []Want
	Base     string // the public URL: scheme and host
	Maker    func(Hook) Maker
	// Adopt tells which of the strangers' registrations may be treated as made by hand; nil: none.
	Adopt func(Hook) bool
}

// Verb is what a step does.
type Verb string

// The verbs.
const (
	Add     Verb = "add"
	Repoint Verb = "re-point" // and switch on
	Enable  Verb = "enable"
	Remove  Verb = "remove"
	Leave   Verb = "leave" // nothing is to be done, or nothing may be
)

// Step is one line of a plan.
type Step struct {
	Do   Verb
	Hook Hook   // what is there; of an addition only Scope
	To   string // the destination it gets, of Add and Repoint
	Why  string
}

// Plan is what makes a store's registrations equal to what is wanted, in the order in which it
// can be done: what is removed makes room for what is added.
type Plan []Step

// Changes reports how many steps change anything.
func (p Plan) Changes() int {
	n := 0
	for _, s := range p {
		if s.Do != Leave {
			n++
		}
	}
	return n
}

// Make plans. It never changes what bcdev did not make, unless Adopt says so: not even where a
// stranger's registration is in the way.
func Make(s Situation) Plan {
	m := &making{s: s, taken: map[string]bool{}, count: map[string]int{}}
	m.base = strings.TrimSuffix(s.Base, "/")
	for _, h := range s.Existing {
		m.count[h.Scope]++
	}
	m.inPlace()
	m.others()
	m.additions()
	order := []Verb{Remove, Repoint, Enable, Add, Leave}
	slices.SortStableFunc(m.plan, func(a, b Step) int { return slices.Index(order, a.Do) - slices.Index(order, b.Do) })
	return m.plan
}

// making is a plan under way.
type making struct {
	s     Situation
	base  string
	plan  Plan
	taken map[string]bool // scope and destination that will exist
	count map[string]int  // registrations of a scope
	rest  []Hook          // ours, elsewhere
}

func (m *making) step(do Verb, h Hook, to, why string) {
	m.plan = append(m.plan, Step{Do: do, Hook: h, To: to, Why: why})
}

func place(scope, destination string) string { return scope + " " + destination }

func (m *making) maker(h Hook) Maker {
	who := m.s.Maker(h)
	if who == Stranger && m.s.Adopt != nil && m.s.Adopt(h) {
		return ByHand
	}
	return who
}

func (m *making) wanted(h Hook) bool {
	return slices.Contains(m.s.Wanted, Want{h.Scope, h.Path()})
}

// here reports whether the registration leads to the public URL of now.
func (m *making) here(h Hook) bool { return h.Destination == m.base+h.Path() }

// inPlace looks at what needs no new destination, and sets aside what does.
func (m *making) inPlace() {
	for _, h := range m.s.Existing {
		who := m.maker(h)
		switch {
		case who == Stranger:
			m.stranger(h)
		case !m.here(h):
			m.rest = append(m.rest, h)
		case who == BySync && !m.wanted(h):
			m.remove(h, "the configuration does not want it any more")
		case m.taken[place(h.Scope, h.Destination)]:
			m.remove(h, "it is there twice")
		default:
			m.keep(h)
		}
	}
}

func (m *making) keep(h Hook) {
	m.taken[place(h.Scope, h.Destination)] = true
	if h.Active {
		m.step(Leave, h, "", "as it should be")
		return
	}
	m.step(Enable, h, "", whyInactive(h))
}

// stranger leaves it alone, and says what that means.
func (m *making) stranger(h Hook) {
	m.taken[place(h.Scope, h.Destination)] = true
	why := "not made by this bcdev"
	if !h.Active && m.here(h) {
		why += fmt.Sprintf("; it is inactive, \"bcdev hooks enable %d\" switches it on", h.ID)
	}
	m.step(Leave, h, "", why)
}

func (m *making) remove(h Hook, why string) {
	m.count[h.Scope]--
	m.step(Remove, h, "", why)
}

// others re-points what an earlier public URL left, with its path kept.
func (m *making) others() {
	for _, h := range m.rest {
		to := m.base + h.Path()
		switch {
		case m.maker(h) == BySync && !m.wanted(h):
			m.remove(h, "it leads to an earlier address, and the configuration does not want it")
		case m.taken[place(h.Scope, to)]:
			m.remove(h, "it leads to an earlier address, and the one of now is there")
		default:
			m.taken[place(h.Scope, to)] = true
			m.step(Repoint, h, to, "it leads to "+h.Host())
		}
	}
}

func (m *making) additions() {
	for _, w := range m.s.Wanted {
		to := m.base + w.Path
		if m.taken[place(w.Scope, to)] {
			continue
		}
		m.taken[place(w.Scope, to)] = true
		if m.count[w.Scope] >= PerScope {
			m.step(Leave, Hook{Scope: w.Scope, Destination: to}, "",
				fmt.Sprintf("cannot be added: the store has %d webhooks of this scope, and BigCommerce takes no more; delete one with \"bcdev hooks delete ID\"", PerScope))
			continue
		}
		m.count[w.Scope]++
		m.step(Add, Hook{Scope: w.Scope}, to, "the configuration wants it")
	}
}

// whyInactive puts the platform's word into a sentence.
func whyInactive(h Hook) string {
	switch h.Status {
	case "deactivated":
		return "BigCommerce switched it off: deliveries failed for 48 hours, or nothing happened for 90 days"
	case "inactive":
		return "a call switched it off"
	}
	return "it is inactive"
}

// WhyInactive says why a registration does not fire; "" when it does.
func WhyInactive(h Hook) string {
	if h.Active {
		return ""
	}
	return whyInactive(h)
}

// Astray are the registrations that need a person's eye: ours that lead to another host than base,
// strangers' that lead to a host of ours other than base, and inactive ones of either at any host
// of ours.
func Astray(s Situation, ourHost func(host string) bool) (elsewhere, inactive []Hook) {
	m := &making{s: s, base: strings.TrimSuffix(s.Base, "/")}
	for _, h := range s.Existing {
		ours := m.maker(h) != Stranger
		switch {
		case !m.here(h) && (ours || ourHost(h.Host())):
			elsewhere = append(elsewhere, h)
		case !h.Active && (ours || m.here(h)):
			inactive = append(inactive, h)
		}
	}
	return elsewhere, inactive
}
