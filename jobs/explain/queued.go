package explain

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"weir/db/dbsqlc"
	"weir/jobs"
	hosts "weir/jobs/fleet"
)

const (
	percent = 100
	// drainingMost are named of the hosts that could take work again: hosts list has all.
	drainingMost = 3
)

// queued explains one that waits for a slot. What stands first in its way is said; all that
// does is listed.
func (e *Explanation) queued(r *Rows) {
	t := &r.Transcode
	e.Since = t.RunAt
	if a := r.last(); a != nil && a.EndedAt.After(e.Since) {
		e.Since = *a.EndedAt
	}
	f := fleetOf(r)
	left, known := f.wait(r)
	e.waits(f.line(r) + "; " + place(r.Position) + waitWords(left, known))
	for _, block := range []func(*Rows, *fleet) string{e.noAttempts, e.allPaused, e.tenantPaused, e.pause, e.noLead, e.most, e.allowed, e.room, e.urgent} {
		if says := block(r, f); says != "" && e.Says == "" {
			e.Says = says
		}
	}
	if e.Says == "" {
		e.Says = "There is room for it: the next round of placement gives it a host."
	}
	e.pausedQueue(r, jobs.PlaceQueue)
	e.attempts(r)
	e.saw(&t.CreatedAt, "it was accepted")
	var at *time.Time
	if known && (left > 0 || t.NotBefore.After(r.Now)) {
		at = new(later(new(r.Now.Add(left)), &t.NotBefore).UTC())
	}
	e.next(at, fmt.Sprintf("it gets a host, and attempt %d begins there", t.Attempt+1))
	if t.Attempt > 0 && t.ErrorCode != nil && jobs.KindOf(*t.ErrorCode).Retriable && !jobs.KindOf(*t.ErrorCode).Eats {
		until := jobs.FreeUntil(t)
		e.next(&until, "what failed it so far eats no attempt; from here on it is final")
	}
	if int(t.Priority) > jobs.MostUrgent {
		e.can(fmt.Sprintf("have it come before those of its tenant that are less urgent (it has priority %d)", t.Priority),
			admin+"transcodes bump "+t.ID.String()+" --priority 0")
	}
}

// place is where it stands.
func place(p *jobs.Position) string {
	if p == nil {
		return "its place is not known"
	}
	of := func(n int64, whose string) string {
		if n == 0 {
			return fmt.Sprintf("behind the %s of %s", ordinal(p.Counted()), whose)
		}
		return ordinal(n) + " of " + whose
	}
	return of(p.Own, "its tenant") + ", " + of(p.Everybodys, "all")
}

func waitWords(left time.Duration, known bool) string {
	switch {
	case !known:
		return ""
	case left < time.Minute:
		return "; less than a minute"
	default:
		return "; about " + span(left)
	}
}

func (e *Explanation) noAttempts(r *Rows, _ *fleet) string {
	if r.Transcode.AttemptsLeft > 0 {
		return ""
	}
	e.waits("it has no attempts left, which should not be of one that is queued")
	return "It has no attempts left, so it is never placed: cancel it, and report this as a defect."
}

func (e *Explanation) allPaused(r *Rows, _ *fleet) string {
	turn := r.Turn
	if turn == nil || turn.PausedAt == nil {
		return ""
	}
	e.waits(fmt.Sprintf("the queue of all is paused since %s by %s: %s", moment(*turn.PausedAt, r.Now), given(turn.PausedBy), line(given(turn.PauseReason))))
	e.can("place again", admin+"queue resume")
	return "The queue of all tenants is paused: nothing is placed."
}

func (e *Explanation) tenantPaused(r *Rows, _ *fleet) string {
	turn := r.Turn
	if turn == nil || turn.TenantPausedAt == nil {
		return ""
	}
	e.waits(fmt.Sprintf("tenant %s is paused since %s by %s: %s", r.Transcode.Tenant,
		moment(*turn.TenantPausedAt, r.Now), given(turn.TenantPausedBy), line(given(turn.TenantPauseReason))))
	e.can("let the tenant take turns again", admin+"tenants resume "+r.Transcode.Tenant)
	return "Its tenant is paused: nothing of it is placed."
}

func (e *Explanation) pause(r *Rows, _ *fleet) string {
	t := &r.Transcode
	if !t.NotBefore.After(r.Now) {
		return ""
	}
	e.waits("the pause behind its last attempt, until " + moment(t.NotBefore, r.Now))
	code := "its last attempt failed"
	if t.ErrorCode != nil {
		code = fmt.Sprintf("attempt %d failed with %s, and another may help", t.Attempt, *t.ErrorCode)
	}
	return "It pauses before its next attempt: " + code + "."
}

func (e *Explanation) noLead(r *Rows, _ *fleet) string {
	e.nobodyLeads(r)
	if r.Leads == 0 {
		return "No daemon that leads is up: nobody places."
	}
	return ""
}

func (e *Explanation) most(r *Rows, _ *fleet) string {
	turn := r.Turn
	if turn == nil || turn.RunningMost == nil || turn.Held < int64(*turn.RunningMost) {
		return ""
	}
	e.waits(fmt.Sprintf("a slot of its own tenant: it holds %d of the %d that it may have at once", turn.Held, *turn.RunningMost))
	e.can("let the tenant have more slots at once",
		fmt.Sprintf("%stenants set %s --running-most %d", admin, r.Transcode.Tenant, *turn.RunningMost+1))
	return "Its tenant holds all the slots that it may have at once."
}

func (e *Explanation) allowed(r *Rows, f *fleet) string {
	if r.Turn == nil || r.Turn.Hosts == nil || f.useful > 0 {
		return ""
	}
	e.waits("one of the hosts that its tenant may use: " + strings.Join(r.Turn.Hosts, ", "))
	e.can("let the tenant use all hosts", fmt.Sprintf("%stenants set %s --hosts ''", admin, r.Transcode.Tenant))
	return "None of the hosts that its tenant may use takes work."
}

func (e *Explanation) room(r *Rows, f *fleet) string {
	if f.free > 0 {
		return ""
	}
	said := 0
	for i := range r.Hosts {
		if h := &r.Hosts[i]; standingOf(h, r) == draining && said < drainingMost {
			said++
			e.can(fmt.Sprintf("let %s take work again (drained by %s: %s)", h.Host.ID, given(h.Host.DrainedBy), line(given(h.Host.DrainReason))),
				admin+"hosts resume "+h.Host.ID)
		}
	}
	if len(r.Hosts) == 0 {
		e.can("start a daemon on a Mist host", "")
		return "There is no host: no daemon has ever started beside a Mist."
	}
	e.can("see the hosts", admin+"hosts list")
	if f.useful == 0 {
		return "No host takes work now."
	}
	return "It waits for a slot."
}

func (e *Explanation) urgent(r *Rows, f *fleet) string {
	if !f.keptFrom(r) {
		return ""
	}
	e.waits(fmt.Sprintf("a slot beyond the %d that stay for transcodes of priority 0 to %d", f.kept(r), jobs.UrgentPriority))
	e.can("count it among the urgent", fmt.Sprintf("%stranscodes bump %s --priority %d", admin, r.Transcode.ID, jobs.UrgentPriority))
	return "What is free of the slots stays for urgent transcodes."
}

// standing is why a host takes no work, or that it does.
type standing int

const (
	open standing = iota
	full
	draining
	spoolShort
	mistSilent
	stopped
	lost
	refused
)

var standingWords = map[standing]string{
	full: "full", draining: "draining", spoolShort: "short of spool", mistSilent: "with a silent Mist",
	stopped: "stopped", lost: "lost", refused: "not for its tenant",
}

// standings are what keeps a host from work, by its state.
var standings = map[string]standing{
	hosts.Stopped: stopped, hosts.Lost: lost, hosts.Draining: draining, hosts.MistSilent: mistSilent, hosts.SpoolFull: spoolShort,
}

func standingOf(h *dbsqlc.HostListRow, r *Rows) standing {
	kept, is := standings[hosts.StateOf(&h.Host, h.Host.LeaseUntil.After(r.Now))]
	switch {
	case is:
		return kept
	case r.Turn != nil && r.Turn.Hosts != nil && !slices.Contains(r.Turn.Hosts, h.Host.ID):
		return refused
	case h.Used >= int64(h.Host.Slots):
		return full
	}
	return open
}

// fleet is what the hosts come to for one that waits.
type fleet struct {
	of map[standing]int
	// free are the hosts that could take it now, useful those that ever do.
	free, useful int
	// slots are of the hosts that take work of anybody, freeSlots those that nobody holds,
	// usable those on hosts that the tenant may use.
	slots, freeSlots, usable int64
}

func fleetOf(r *Rows) *fleet {
	f := &fleet{of: map[standing]int{}}
	for i := range r.Hosts {
		h := &r.Hosts[i]
		is := standingOf(h, r)
		f.of[is]++
		if is == open || is == full || is == refused {
			f.slots += int64(h.Host.Slots)
			f.freeSlots += max(int64(h.Host.Slots)-h.Used, 0)
		}
		if is == open || is == full {
			f.useful++
			f.usable += int64(h.Host.Slots)
		}
	}
	f.free = f.of[open]
	return f
}

// kept are the slots that stay for the urgent, beyond those that they hold.
func (f *fleet) kept(r *Rows) int64 {
	if r.Turn == nil {
		return 0
	}
	return max(f.slots*int64(r.UrgentPercent)/percent-r.Turn.UrgentHeld, 0)
}

// keptFrom says whether what is free is for others than this one.
func (f *fleet) keptFrom(r *Rows) bool {
	return f.free > 0 && int(r.Transcode.Priority) > jobs.UrgentPriority && f.freeSlots <= f.kept(r)
}

// line says it as a scheduler does: how many of how many, and why not the rest.
func (f *fleet) line(r *Rows) string {
	text := fmt.Sprintf("%d of %s", f.free, many(len(r.Hosts), "host"))
	var why []string
	for _, is := range []standing{full, draining, spoolShort, mistSilent, stopped, lost, refused} {
		if n := f.of[is]; n > 0 {
			why = append(why, fmt.Sprintf("%d %s", n, standingWords[is]))
		}
	}
	if len(why) > 0 {
		text += ": " + strings.Join(why, ", ")
	}
	return text
}

// wait estimates when its turn comes: those of its tenant before it, over the tenant's
// share of the slots, or all that waits over all of them where that is sooner; each for as
// long as a slot was held lately. Nothing is known of what is paused.
func (f *fleet) wait(r *Rows) (left time.Duration, known bool) {
	turn := r.Turn
	if turn == nil || r.Position == nil || r.Position.Own == 0 || turn.PausedAt != nil || turn.TenantPausedAt != nil || f.usable == 0 || r.Leads == 0 ||
		r.Transcode.AttemptsLeft == 0 || f.keptFrom(r) {
		return 0, false
	}
	if f.free > 0 && r.Position.Everybodys == 1 {
		return 0, true
	}
	if r.HoldSeconds <= 0 {
		return 0, false
	}
	share := float64(f.usable)
	if turn.Weights > 0 {
		share *= min(float64(turn.Weight)/float64(turn.Weights), 1)
	}
	if turn.RunningMost != nil {
		share = min(share, float64(*turn.RunningMost))
	}
	if share <= 0 {
		return 0, false
	}
	seconds := float64(r.Position.Own) / share * r.HoldSeconds
	if turn.RunningMost == nil {
		seconds = min(seconds, float64(max(turn.Queued, 1))/float64(f.usable)*r.HoldSeconds)
	}
	return time.Duration(math.Min(seconds, (30*day).Seconds()) * float64(time.Second)), true //nolint:mnd // nobody believes more
}
