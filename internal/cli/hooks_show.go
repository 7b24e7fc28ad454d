package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"bcdev/internal/hooks"
)

// hookLine is a registration for programs.
type hookLine struct {
	ID          int64      `json:"id"`
	Store       string     `json:"store"`
	Scope       string     `json:"scope"`
	Destination string     `json:"destination"`
	State       string     `json:"state"` // active, inactive, deactivated
	Active      bool       `json:"is_active"`
	CreatedAt   *time.Time `json:"created_at,omitempty"`
	UpdatedAt   *time.Time `json:"updated_at,omitempty"`
	Ours        bool       `json:"ours"`
	MadeBy      string     `json:"made_by"`
	Why         string     `json:"why,omitempty"` // why it is inactive
	Elsewhere   bool       `json:"elsewhere"`     // it does not lead to the public URL of now
}

// list shows the store's registrations, blocked domains, and what waits for the local app.
func (d *desk) list(ctx context.Context) error {
	found, blocked, unknown, err := d.hooks.Look(ctx)
	if err != nil {
		return err
	}
	if unknown != nil {
		d.con.Notef("why webhooks are inactive, and which domains are blocked, is not known: %v", unknown)
	}
	base, _ := d.base() // only to compare with
	var rows [][]string
	for _, h := range found {
		line := d.line(h, base)
		d.con.JSONLine("hook", line)
		rows = append(rows, line.row())
	}
	for _, b := range blocked {
		d.con.JSONLine("blocked_domain", map[string]any{"store": d.store, "domain": b.Domain, "left_s": int(b.Left.Seconds()), "why": b.Why})
	}
	if !d.p.json {
		d.showRows(rows)
		d.showBlocked(blocked)
	}
	if err := d.footer(ctx, found); err != nil {
		return err
	}
	return d.con.Err()
}

func (d *desk) line(h hooks.Hook, base string) hookLine {
	who := d.book.Maker(d.store)(h)
	line := hookLine{
		ID: h.ID, Store: d.store, Scope: h.Scope, Destination: h.Destination, State: stateOf(h), Active: h.Active,
		CreatedAt: timeOrNone(h.Created), UpdatedAt: timeOrNone(h.Updated),
		Ours: who != hooks.Stranger, MadeBy: d.maker(h, who), Why: hooks.WhyInactive(h),
		Elsewhere: base != "" && joinURL(base, h.Path()) != h.Destination,
	}
	return line
}

func stateOf(h hooks.Hook) string {
	switch {
	case h.Active:
		return "active"
	case h.Status != "" && h.Status != "active":
		return h.Status
	}
	return "inactive"
}

func timeOrNone(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func (d *desk) maker(h hooks.Hook, who hooks.Maker) string {
	switch {
	case who != hooks.Stranger:
		return "bcdev"
	case d.book.Colleague(h):
		return "another bcdev"
	}
	return "others"
}

func (l hookLine) row() []string {
	why := l.Why
	if l.Elsewhere && l.Ours {
		why = strings.TrimPrefix(why+"; leads elsewhere", "; ")
	}
	return []string{strconv.FormatInt(l.ID, 10), l.Scope, l.State, ageOf(l.CreatedAt), l.MadeBy, l.Destination, why}
}

func ageOf(at *time.Time) string {
	if at == nil {
		return ""
	}
	age := time.Since(*at)
	switch {
	case age < time.Minute:
		return "new"
	case age < time.Hour:
		return fmt.Sprintf("%d min", int(age.Minutes()))
	case age < 48*time.Hour:
		return fmt.Sprintf("%d h", int(age.Hours()))
	}
	return fmt.Sprintf("%d days", int(age.Hours())/24)
}

func (d *desk) showRows(rows [][]string) {
	if len(rows) == 0 {
		d.con.Notef("store %s has no webhooks of this app; those of other client ids cannot be seen", d.store)
		return
	}
	d.con.Table([]string{"id", "scope", "state", "age", "made by", "destination", "why"}, rows)
}

func (d *desk) showBlocked(blocked []hooks.Blocked) {
	for _, b := range blocked {
		d.con.Notef("BigCommerce delivers nothing to %s for another %s: %s", b.Domain, b.Left.Round(time.Second), strings.Join(b.Why, ", "))
	}
}

// footer says what waits for the local app.
func (d *desk) footer(ctx context.Context, found []hooks.Hook) error {
	waiting, oldest, err := d.seen(ctx)
	if err != nil {
		return err
	}
	d.con.JSONLine("hooks", map[string]any{"store": d.store, "count": len(found), "waiting": waiting, "oldest": timeOrNone(oldest)})
	if waiting > 0 && !d.p.json {
		d.con.Notef("%s for the local app, the oldest since %s", counted(waiting, "webhook")+" waiting", oldest.Local().Format(time.TimeOnly))
	}
	return nil
}

// showPlan shows what is going to be done, and what is left alone and why.
func (d *desk) showPlan(plan hooks.Plan) {
	var rows [][]string
	for _, s := range plan {
		to := s.To
		if to == "" {
			to = s.Hook.Destination
		}
		d.con.JSONLine("hook_plan", map[string]any{
			"do": s.Do, "id": s.Hook.ID, "store": d.store, "scope": s.Hook.Scope,
			"from": s.Hook.Destination, "to": s.To, "why": s.Why,
		})
		rows = append(rows, []string{string(s.Do), idOrNone(s.Hook.ID), s.Hook.Scope, to, s.Why})
	}
	if !d.p.json && len(rows) > 0 {
		d.con.Table([]string{"do", "id", "scope", "destination", "why"}, rows)
	}
}

func idOrNone(id int64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}

// tellDone tells what became of a step.
func (d *desk) tellDone(done hooks.Done) {
	h := done.Now
	if h.ID == 0 {
		h = done.Hook
	}
	if d.p.json {
		reason := ""
		if done.Err != nil {
			reason = done.Err.Error()
		}
		d.con.JSONLine("hook_change", map[string]any{
			"did": done.Do, "id": h.ID, "store": d.store, "scope": h.Scope, "destination": h.Destination,
			"is_active": h.Active && done.Do != hooks.Remove, "error": reason,
		})
		return
	}
	if done.Err != nil {
		d.con.Problem("hooks", done.Err)
		return
	}
	d.con.Table([]string{"", "", "", ""}, [][]string{{didWord(done.Do), idOrNone(h.ID), h.Scope, h.Destination}})
}

func didWord(do hooks.Verb) string {
	return map[hooks.Verb]string{
		hooks.Add: "added", hooks.Repoint: "re-pointed", hooks.Enable: "enabled", hooks.Remove: "removed",
	}[do]
}
