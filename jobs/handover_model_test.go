package jobs

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
)

// A model of the handover: place, claim, lease, take over, reap, store, finish. It
// holds the rows of a small fleet and what its daemons have in memory, and goes
// through every order of their steps. A step is one transaction, and a daemon may
// rest between any two: what it has read may no longer hold when it writes, which is
// all that a pause, a lost connection or a slow disk can do to it. [Plan] and [decide]
// themselves decide; writes are guarded as the code's are, see handover_guards_test.go.
//
// A fleet that packages begins where that does; see handover_package_test.go.
//
// Not in it: Mist, more than one rendition (TestSettleWritesOneCallback has those), an
// operator's retry, and the schema's own checks, which are a second net under all this.

// The largest fleet. Boots and attempts count from 1; slots are one per host.
const (
	modelHosts      = 2
	modelTranscodes = 2
	modelAttempts   = 3
	modelBoots      = 3
	modelRounds     = 2 // placement rounds of two daemons
)

// fleet says how much of it there is in one check. Faults are crashes and stops of
// daemons, leases of live ones that end, second daemons on a host, lost jobs, and
// cancels.
type fleet struct {
	hosts, transcodes, attempts, faults int
	// packages: more is asked for than the rendition's file.
	packages bool
}

// largeVariable has larger fleets checked too, which takes a minute and some GB.
const largeVariable = "HANDOVER_LARGE"

// TestHandover finds no order of steps in which a promise breaks.
func TestHandover(t *testing.T) {
	t.Parallel()
	off := missing(t)
	fleets := []fleet{
		{hosts: 2, transcodes: 1, attempts: 3, faults: 0},
		{hosts: 2, transcodes: 1, attempts: 2, faults: 1},
		{hosts: 1, transcodes: 1, attempts: 1, faults: 2},
		{hosts: 2, transcodes: 2, attempts: 2, faults: 0},
		{hosts: 2, transcodes: 1, attempts: 2, faults: 1, packages: true},
		{hosts: 2, transcodes: 1, attempts: 3, faults: 0, packages: true},
	}
	if os.Getenv(largeVariable) != "" {
		fleets = append(fleets,
			fleet{hosts: 2, transcodes: 1, attempts: 3, faults: 1},
			fleet{hosts: 2, transcodes: 2, attempts: 1, faults: 1},
			fleet{hosts: 1, transcodes: 1, attempts: 2, faults: 2},
			fleet{hosts: 2, transcodes: 1, attempts: 3, faults: 1, packages: true},
			fleet{hosts: 2, transcodes: 1, attempts: 2, faults: 2, packages: true})
	}
	for _, of := range fleets {
		t.Run(fmt.Sprintf("%+v", of), func(t *testing.T) {
			t.Parallel()
			m := newModel(of, off...)
			broken := m.check()
			t.Logf("%d states, %d steps", len(m.states), m.steps)
			require.Empty(t, broken, "guards that are not in the code: %q", off)
		})
	}
}

// word is a word of the rows.
type word uint8

const (
	none word = iota
	queued
	placed
	running
	storing
	succeeded
	gaveUp // a failed transcode, attempt or rendition
	hopeless
	cancelled
	lost
	open // a rendition that is expected or pushing: both are guarded alike; or expected outputs
	pushed
	verified // a rendition, or outputs, that are ok
	started
	transcoded
	cleaned
)

// String is the word in the rows. A hopeless rendition is one that failed for a
// reason which no attempt mends.
func (w word) String() string {
	return []string{"", StateQueued, StatePlaced, StateRunning, StateStoring, StateSucceeded, StateFailed, RenditionFailed,
		StateCancelled, OutcomeLost, RenditionPushing, RenditionPushed, RenditionOK, AttemptStarted, AttemptTranscoded, AttemptCleaned}[w]
}

func (w word) is(these ...word) bool { return slices.Contains(these, w) }

func (w word) ended() bool { return w.is(succeeded, gaveUp, cancelled) }

// jobIs is the state of the River row that an attempt, or a pushed file, names.
type jobIs uint8

const (
	jobEnded jobIs = iota
	jobAvailable
	jobRunning // and the boot that runs it
)

func runningBy(boot int) jobIs { return jobRunning + jobIs(boot) }

// act is what a worker is going to write next: what it read is behind it.
type act uint8

const (
	idle        act = iota
	takeUp          // AttemptTakeUp, TranscodeStart
	look            // nothing: it loads and plans
	startAgain      // AttemptStartAgain, RenditionExpectAgain
	work            // AttemptSetFetched, AttemptSetPrepared, AttemptSetStarted; or it gives up
	handOver        // RenditionSetPushed and the store job
	failOne         // RenditionFail
	giveUp          // RenditionFailUnpushed
	settleAlone     // settle
	finish          // TranscodeSetStoring, AttemptSetTranscoded
	clean           // AttemptSetCleaned
	commit          // a store's RenditionSetOK or RenditionFail
	putFolder       // the next four are a package job's
	putFile
	putMaster
	keep
)

func (a act) String() string {
	return []string{"", "take up", "look", "start again", "work", "hand over", "fail the rendition", "give up", "settle", "finish", "clean", "store",
		"put the folder", "put the file", "put the master", "keep"}[a]
}

// turn is how an act goes where the rows don't say.
type turn uint8

const (
	well turn = iota
	badly
	forGood // so badly that no attempt helps
)

func (a act) turns() []turn {
	switch a {
	case work, putFolder:
		return []turn{well, badly, forGood}
	case commit:
		return []turn{well, badly}
	default:
		return []turn{well}
	}
}

type (
	hostRow struct {
		boot  uint8 // the newest
		lease bool  // it has not ended
	}
	transcodeRow struct {
		state         word
		attempt, left uint8
		host          uint8
		callbacks     uint8
		rendition     word
		of            uint8 // the rendition's attempt
		outputs       word
		outputsOf     uint8
	}
	attemptRow struct {
		is             bool
		host, boot     uint8
		stage, outcome word
		job, store     jobIs
		packs          bool // package_from
		published      bool // publish_from
		pack           jobIs
	}
	// worker is one of a daemon's River workers and what it has in memory.
	worker struct {
		act        act
		t, attempt uint8
	}
	daemon struct {
		runs                    bool
		supervisor, store, pack worker
	}
	// pair is a transcode and a host that somebody has read and is going to write.
	pair struct {
		is      bool
		t, host uint8
	}
	// system is one state of everything.
	system struct {
		hosts      [modelHosts]hostRow
		transcodes [modelTranscodes]transcodeRow
		attempts   [modelTranscodes][modelAttempts + 1]attemptRow
		daemons    [modelHosts][modelBoots + 1]daemon
		places     [modelTranscodes]place
		rounds     [modelRounds]pair
		reaper     pair
		faults     uint8 // that may still happen
	}
)

// step leads from one state to another.
type step struct {
	to   system
	what said
	// fault: no fleet does this by itself, so nothing may have to wait for it.
	fault bool
	// broken is the promise that this write breaks.
	broken string
}

// said tells a step when somebody asks: there are millions.
type said struct {
	text string
	args [4]int8
	act  act
	turn turn
}

func say(text string, args ...int) said {
	w := said{text: text}
	for i, arg := range args {
		w.args[i] = int8(arg)
	}
	return w
}

func (w said) String() string {
	var args []any
	for i := range strings.Count(w.text, "%") {
		args = append(args, w.args[i])
	}
	return fmt.Sprintf(w.text, args...) + w.act.String() + []string{"", ", in vain", ", in vain for good"}[w.turn]
}

// model checks a fleet.
type model struct {
	fleet
	off    map[string]bool // guards left out
	plans  map[planned][]act
	states []system
	from   []int32 // the state before, on the shortest way
	by     []said  // and the step
	edges  [][2]int32
	steps  int
	buffer []step
}

func newModel(of fleet, without ...string) *model {
	m := &model{fleet: of, off: map[string]bool{}, plans: map[planned][]act{}}
	for _, name := range without {
		m.off[name] = true
	}
	return m
}

// on says whether a guard lets a write through.
func (m *model) on(name string, holds bool) bool { return holds || m.off[name] }

// check goes through all states and says how a promise breaks; empty: none does.
func (m *model) check() string {
	first := system{faults: uint8(m.faults)}
	for h := range m.hosts {
		first.hosts[h] = hostRow{boot: 1, lease: true}
		first.daemons[h][1].runs = true
	}
	for t := range m.transcodes {
		first.transcodes[t] = transcodeRow{state: queued, left: uint8(m.attempts), rendition: open}
		if m.packages {
			m.stores(&first, t)
		}
	}
	index := map[system]int32{first: 0}
	m.states, m.from, m.by = []system{first}, []int32{0}, []said{{}}
	for at := int32(0); int(at) < len(m.states); at++ {
		now := m.states[at]
		for _, s := range m.next(&now) {
			m.steps++
			to, known := index[s.to]
			if !known {
				to = int32(len(m.states))
				index[s.to] = to
				m.states, m.from, m.by = append(m.states, s.to), append(m.from, at), append(m.by, s.what)
			}
			if !s.fault {
				m.edges = append(m.edges, [2]int32{at, to})
			}
			if s.broken == "" {
				s.broken = m.wrong(&now, &s.to)
			}
			if s.broken != "" {
				return s.broken + ":" + m.way(at) + "\n  " + s.what.String()
			}
		}
	}
	return m.stuck()
}

// way tells how a state is reached.
func (m *model) way(at int32) string {
	var steps []string
	for ; at > 0; at = m.from[at] {
		steps = append(steps, "\n  "+m.by[at].String())
	}
	slices.Reverse(steps)
	return strings.Join(steps, "")
}

// stuck finds a state from which the fleet does not come to rest by itself.
func (m *model) stuck() string {
	home := make([]bool, len(m.states))
	for i := range m.states {
		home[i] = m.atRest(&m.states[i])
	}
	// Steps lead on, mostly to states found later: from behind it takes a few rounds.
	for more := true; more; {
		more = false
		for _, edge := range slices.Backward(m.edges) {
			if home[edge[1]] && !home[edge[0]] {
				home[edge[0]], more = true, true
			}
		}
	}
	if at := slices.Index(home, false); at >= 0 {
		return "from here nothing brings it to its end:" + m.way(int32(at))
	}
	return ""
}

// atRest: all transcodes have ended, all attempts are cleaned up, no job is left.
func (m *model) atRest(s *system) bool {
	for t := range m.transcodes {
		if !s.transcodes[t].state.ended() {
			return false
		}
		for _, a := range s.attempts[t] {
			if a.is && (a.stage != cleaned || a.job != jobEnded || a.store != jobEnded || a.pack != jobEnded) {
				return false
			}
		}
	}
	return true
}

// wrong says which promise a step breaks, whoever made it.
func (m *model) wrong(was, is *system) string {
	for t := range m.transcodes {
		a, b := was.transcodes[t], is.transcodes[t]
		switch {
		case a.state.ended() && b != a:
			return "an end was changed"
		case b.state.ended() != (b.callbacks == 1) || b.callbacks > 1:
			return "not one callback for one end"
		case b.state == succeeded && b.rendition != verified:
			return "success without evidence"
		case a.rendition == verified && b.rendition != verified:
			return "a stored rendition was lost"
		case b.attempt < a.attempt || int(b.attempt) > m.attempts:
			return "attempts are not counted"
		case b.state.is(placed, running, storing) && is.attempts[t][b.attempt].outcome != none:
			return "it goes on with an attempt that has ended"
		case b.state == queued && b.left == 0:
			return "queued for ever"
		case b.state == gaveUp && b.rendition == verified && !m.packages:
			return "failed with all its renditions stored"
		}
		if m.packages {
			if broken := wrongOutputs(was, is, t); broken != "" {
				return broken
			}
		}
		for n := range is.attempts[t] {
			if before := was.attempts[t][n].outcome; before != none && is.attempts[t][n].outcome != before {
				return "an attempt has two outcomes"
			}
		}
	}
	for h := range m.hosts {
		if m.held(is, h) > 1 {
			return "a host has more than its slots"
		}
	}
	return ""
}

// held counts as HostFree does.
func (m *model) held(s *system, h int) int {
	held := 0
	for t := range m.transcodes {
		if row := &s.transcodes[t]; int(row.host) == h && (row.state == placed || row.state == running) {
			held++
		}
	}
	return held
}

// next lists all that can happen in a state.
func (m *model) next(s *system) []step {
	m.buffer = m.buffer[:0]
	m.place(s)
	m.reap(s)
	m.residue(s)
	for h := range m.hosts {
		m.live(s, h)
		for b := 1; b <= int(s.hosts[h].boot); b++ {
			if s.daemons[h][b].runs {
				m.supervise(s, h, b)
				m.store(s, h, b)
				m.pack(s, h, b)
			}
		}
	}
	for t := range m.transcodes {
		to := *s
		if s.faults > 0 && m.cancel(&to, t) {
			to.faults--
			m.may(step{to: to, what: say("cancel %d", t), fault: true})
		}
	}
	return m.buffer
}

func (m *model) may(s step) { m.buffer = append(m.buffer, s) }

// cancel is [Transcodes.Cancel].
func (m *model) cancel(s *system, t int) bool {
	if !m.on("cancel: open", !s.transcodes[t].state.ended()) {
		return false
	}
	m.failOpen(s, t)
	m.endJobs(s, t)
	return m.end(s, t, cancelled)
}

// place is the placement: a round reads the hosts and the queue, and writes.
func (m *model) place(s *system) {
	for r, round := range s.rounds {
		if round.is {
			to := *s
			to.rounds[r] = pair{}
			m.placed(&to, int(round.t), round.host)
			m.may(step{to: to, what: say("place %d on host %d", int(round.t), int(round.host))})
			continue
		}
		if r > 0 && !m.off["place: one round"] {
			continue // it waits for PlaceLock
		}
		for t := range m.transcodes {
			for h, host := range s.hosts[:m.hosts] {
				if s.transcodes[t].state == queued && host.lease && m.held(s, h) < 1 {
					to := *s
					to.rounds[r] = pair{is: true, t: uint8(t), host: uint8(h)}
					m.may(step{to: to, what: say("round %d: host %d is free for %d", r, h, t)})
				}
			}
		}
	}
}

// placed is TranscodePlace, RenditionExpect, AttemptInsert and the transcode job.
func (m *model) placed(s *system, t int, host uint8) {
	row := &s.transcodes[t]
	if !m.on("place: queued", row.state == queued) || row.left == 0 {
		return // it is left out
	}
	row.state, row.host, row.attempt, row.left = placed, host, row.attempt+1, row.left-1
	s.attempts[t][row.attempt] = attemptRow{is: true, host: host, stage: placed, job: jobAvailable}
	if m.on("place: ok stays", row.rendition != verified) {
		row.rendition, row.of = open, row.attempt
	}
	if row.outputs.is(open, gaveUp) { // OutputExpect
		row.outputs, row.outputsOf = open, row.attempt
	}
}

// reap is [Control.reap]: it lists dead hosts and what they hold, and takes it.
func (m *model) reap(s *system) {
	if !s.reaper.is {
		for t := range m.transcodes {
			if row := s.transcodes[t]; row.state.is(placed, running, storing) && !s.hosts[row.host].lease {
				to := *s
				to.reaper = pair{is: true, t: uint8(t), host: row.host}
				m.may(step{to: to, what: say("host %d looks dead, with %d", int(row.host), t)})
			}
		}
		return
	}
	to := *s
	to.reaper = pair{}
	t, h := int(s.reaper.t), s.reaper.host
	row := &to.transcodes[t]
	what, broken := say("reap %d from host %d", t, int(h)), ""
	if m.on("reap: holder", row.host == h) && m.on("reap: ended", !row.state.ended()) &&
		row.state != queued && m.on("reap: dead", !s.hosts[h].lease) {
		if s.hosts[row.host].lease {
			broken = "taken from a host that is alive"
		}
		if !m.reaped(&to, t) {
			to = *s
			to.reaper = pair{}
		} else if row.state.is(placed, running, storing) && !to.hosts[row.host].lease {
			broken = "left with a dead host"
		}
	}
	m.may(step{to: to, what: what, broken: broken})
}

// reaped is [Control.reapTranscode] behind its checks.
func (m *model) reaped(s *system, t int) bool {
	m.endJobs(s, t)
	row := &s.transcodes[t]
	switch {
	case row.rendition == verified && !m.off["reap: all stored"] && m.on("reap: packages", !m.packages):
		if row.state == placed {
			row.state = running // TranscodeStart
		}
		return m.settle(s, t, row.attempt)
	case int(row.attempt) >= m.attempts: // the day is over
		m.failOpen(s, t)
		return m.end(s, t, gaveUp)
	}
	m.endAttempt(s, t, lost)
	if !m.requeue(s, t) {
		return false
	}
	row.left++ // it eats no attempt
	return true
}

// endJobs ends the jobs of the newest attempt: RiverJobFinalize, or River's cancel.
func (m *model) endJobs(s *system, t int) {
	if row := s.transcodes[t]; row.attempt > 0 {
		s.attempts[t][row.attempt].job = jobEnded
		s.attempts[t][row.of].store = jobEnded
		s.attempts[t][row.attempt].pack = jobEnded
	}
}

// failOpen is RenditionFailOpen.
func (m *model) failOpen(s *system, t int) {
	if row := &s.transcodes[t]; row.rendition.is(open, pushed) {
		row.rendition = gaveUp
	}
}

// end is TranscodeSucceed, TranscodeFail and TranscodeCancel, with what follows of
// them in their transactions; false: that is rolled back.
func (m *model) end(s *system, t int, as word) bool {
	row := &s.transcodes[t]
	if as == succeeded && !m.on("succeed: state", row.state.is(running, storing)) ||
		as == gaveUp && !m.on("fail: state", row.state.is(queued, placed, running, storing)) ||
		as == cancelled && !m.on("cancel: state", row.state.is(queued, placed, running, storing)) {
		return false
	}
	row.state = as
	row.callbacks++
	if row.outputs == open && as != succeeded {
		row.outputs = gaveUp // failOutputs
	}
	m.endAttempt(s, t, as)
	return true
}

// endAttempt is AttemptEnd.
func (m *model) endAttempt(s *system, t int, as word) {
	a := &s.attempts[t][s.transcodes[t].attempt]
	if a.is && m.on("end: once", a.outcome == none) {
		a.outcome = as
	}
}

// requeue is TranscodeRequeue and AttemptEnd.
func (m *model) requeue(s *system, t int) bool {
	if !m.on("requeue: state", s.transcodes[t].state.is(placed, running, storing)) {
		return false
	}
	s.transcodes[t].state = queued
	m.endAttempt(s, t, gaveUp)
	return true
}

// settle is settle; decide decides.
func (m *model) settle(s *system, t int, attempt uint8) bool {
	row := &s.transcodes[t]
	if row.attempt != attempt || row.state == queued || !m.on("settle: ended", !row.state.ended()) {
		return true
	}
	code, stage, text := CodeNothingReturned, string(StageStore), ""
	if row.rendition == hopeless {
		code = CodeSecretUnreadable
	}
	rendition := dbsqlc.Rendition{State: row.rendition.String(), ErrorCode: &code, ErrorStage: &stage, ErrorMessage: &text}
	left := int32(row.left)
	if int(row.attempt) >= m.attempts {
		left = 0 // the model's world ends here
	}
	follows := decide(&dbsqlc.Transcode{AttemptsLeft: left}, []dbsqlc.Rendition{rendition}, 0)
	if follows.state == StateSucceeded && m.packages {
		follows = decideOutputs(&dbsqlc.Transcode{AttemptsLeft: left}, []dbsqlc.Output{outputsRow(row)}, 0)
	}
	if follows.packages {
		beginPackage(&s.attempts[t][attempt])
	}
	switch follows.state {
	case StateSucceeded:
		return m.end(s, t, succeeded)
	case StateFailed:
		return m.end(s, t, gaveUp)
	case StateQueued:
		return m.requeue(s, t)
	}
	return true
}

// live is a host's life: its leases, boots and ends.
func (m *model) live(s *system, h int) {
	host := s.hosts[h]
	alive := s.daemons[h][host.boot].runs
	change := func(fault bool, what said, how func(to *system)) {
		if fault && s.faults == 0 {
			return
		}
		to := *s
		if fault {
			to.faults--
		}
		how(&to)
		m.may(step{to: to, what: what, fault: fault})
	}
	if host.lease {
		change(alive, say("host %d: the lease ends", h), func(to *system) { to.hosts[h].lease = false })
	}
	if host.boot < modelBoots {
		change(alive, say("host %d boots", h), func(to *system) { m.boot(to, h) })
	}
	for t := range m.transcodes {
		for n, a := range s.attempts[t] {
			if a.is && int(a.host) == h && a.job == jobAvailable {
				change(true, say("the job of %d-%d is lost", t, n), func(to *system) { to.attempts[t][n].job = jobEnded })
			}
			if a.is && int(a.host) == h && a.store == jobAvailable {
				change(true, say("the store of %d-%d is lost", t, n), func(to *system) { to.attempts[t][n].store = jobEnded })
			}
			if a.is && int(a.host) == h && a.pack == jobAvailable {
				change(true, say("the package of %d-%d is lost", t, n), func(to *system) { to.attempts[t][n].pack = jobEnded })
			}
		}
	}
	for b := 1; b <= int(host.boot); b++ {
		if s.daemons[h][b].runs {
			m.renew(s, h, b)
			m.sweep(s, h, b)
			change(true, say("boot %d.%d crashes", h, b), func(to *system) { to.daemons[h][b] = daemon{} })
			change(true, say("boot %d.%d is stopped", h, b), func(to *system) { m.exit(to, h, b) })
		}
	}
}

// boot is [Host.Boot]: HostBoot. What an older boot had is the next comparison's.
func (m *model) boot(s *system, h int) {
	host := &s.hosts[h]
	host.boot++
	host.lease = true
	s.daemons[h][host.boot] = daemon{runs: true}
}

// giveBack makes running jobs of a host available: a comparison by new rows, a daemon
// that ends softly by River's snooze.
func (m *model) giveBack(s *system, h int, which func(jobIs) bool) {
	for t := range m.transcodes {
		for n := range s.attempts[t] {
			a := &s.attempts[t][n]
			if !a.is || int(a.host) != h {
				continue
			}
			if which(a.job) {
				a.job = jobAvailable
			}
			if which(a.store) {
				a.store = jobAvailable
			}
			if which(a.pack) {
				a.pack = jobAvailable
			}
		}
	}
}

func (m *model) exit(s *system, h, b int) {
	s.daemons[h][b] = daemon{}
	m.giveBack(s, h, func(job jobIs) bool { return job == runningBy(b) })
}

// renew is HostRenew; a boot that finds another one in its row stops.
func (m *model) renew(s *system, h, b int) {
	to := *s
	newest := int(s.hosts[h].boot) == b
	switch {
	case !m.on("renew: boot", newest):
		m.exit(&to, h, b)
		m.may(step{to: to, what: say("boot %d.%d finds another, and stops", h, b)})
	case !newest:
		m.may(step{to: to, what: say("boot %d.%d renews", h, b), broken: "an older boot keeps the lease"})
	case !s.hosts[h].lease:
		to.hosts[h].lease = true
		m.may(step{to: to, what: say("boot %d.%d renews", h, b)})
	}
}

// sweep is [Host.reconcileJobs]: what nobody works on gets a job.
func (m *model) sweep(s *system, h, b int) {
	to := *s
	if !m.off["reconcile: owner"] && int(s.hosts[h].boot) == b {
		m.giveBack(&to, h, func(job jobIs) bool { return job > jobRunning && job != runningBy(b) })
	}
	for t := range m.transcodes {
		for n := range to.attempts[t] {
			a := &to.attempts[t][n]
			if !a.is || int(a.host) != h {
				continue
			}
			if a.job == jobEnded && a.stage != cleaned && !m.off["reconcile: attempts"] {
				a.job = jobAvailable
			}
			if row := &to.transcodes[t]; a.store == jobEnded && row.rendition == pushed && int(row.of) == n && !m.off["reconcile: stores"] {
				a.store = jobAvailable
			}
			if a.pack == jobEnded && a.packs && a.outcome == none && !m.off["reconcile: packages"] {
				a.pack = jobAvailable
			}
		}
	}
	if to != *s {
		m.may(step{to: to, what: say("boot %d.%d compares", h, b)})
	}
}

// supervise is a boot's transcode job: fetched by River, taken up, and then looking
// and writing in turn.
func (m *model) supervise(s *system, h, b int) {
	w := s.daemons[h][b].supervisor
	switch w.act {
	case idle:
		for t := range m.transcodes {
			for n, a := range s.attempts[t] {
				if a.is && int(a.host) == h && a.job == jobAvailable {
					to := *s
					to.attempts[t][n].job = runningBy(b)
					to.daemons[h][b].supervisor = worker{act: takeUp, t: uint8(t), attempt: uint8(n)}
					m.may(step{to: to, what: say("boot %d.%d fetches the job of %d-%d", h, b, t, n)})
				}
			}
		}
	case look:
		m.look(s, h, b, w)
	default:
		for _, turn := range w.act.turns() {
			to := *s
			what := said{"boot %d.%d, for %d-%d: ", [4]int8{int8(h), int8(b), int8(w.t), int8(w.attempt)}, w.act, turn}
			if !m.write(&to, h, b, w, turn) {
				to = *s
			}
			to.daemons[h][b].supervisor.act = look
			m.may(step{to: to, what: what, broken: m.stale(s, &to, b, w)})
		}
	}
}

// look loads and plans; a supervisor that has nothing to do completes its job.
func (m *model) look(s *system, h, b int, w worker) {
	t, n := int(w.t), int(w.attempt)
	acts := m.plan(s, t, n)
	if !m.on("load: boot", int(s.attempts[t][n].boot) == b) {
		acts = nil
	}
	what := said{"boot %d.%d, for %d-%d: plans: ", [4]int8{int8(h), int8(b), int8(t), int8(n)}, idle, well}
	if len(acts) == 0 {
		to := *s
		to.daemons[h][b].supervisor = worker{}
		if a := &to.attempts[t][n]; a.job == runningBy(b) {
			a.job = jobEnded
		}
		m.may(step{to: to, what: what})
		return
	}
	for _, a := range acts {
		to := *s
		what.act = a
		if a == clean {
			// Nothing takes this plan back, so that it is written at once, to spare states.
			to.attempts[t][n].stage = cleaned
		} else {
			to.daemons[h][b].supervisor.act = a
		}
		m.may(step{to: to, what: what})
	}
}

// planned is what a plan depends on.
type planned struct {
	state, stage, outcome, rendition word
	current, ofThis, packs           bool
}

// plan asks [Plan] itself, with all that may be seen of Mist.
func (m *model) plan(s *system, t, n int) []act {
	row, a := &s.transcodes[t], &s.attempts[t][n]
	key := planned{row.state, a.stage, a.outcome, row.rendition, int(row.attempt) == n, int(row.of) == n, a.packs}
	acts, known := m.plans[key]
	if known {
		return acts
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	number, outcome := int32(2), a.outcome.String()
	rows := Rows{
		Transcode:  dbsqlc.Transcode{State: row.state.String(), Attempt: number},
		Attempt:    dbsqlc.Attempt{Number: number, Stage: a.stage.String()},
		Renditions: []dbsqlc.Rendition{{Name: "a", State: row.rendition.String(), Attempt: number}},
	}
	if !key.current {
		rows.Transcode.Attempt++
	}
	if !key.ofThis {
		rows.Renditions[0].Attempt--
	}
	if a.outcome != none {
		rows.Attempt.Outcome = &outcome
	}
	if a.stage == cleaned {
		rows.Attempt.CleanedAt = &now
	}
	if a.packs {
		rows.Attempt.PackageFrom = &now
	}
	pushing := map[string]bool{"a": true}
	for _, seen := range []Seen{
		{At: now, ProgressAt: now, FileBytes: map[string]int64{"a": 1}},
		{At: now, ProgressAt: now},
		{At: now, ProgressAt: now, ProcessAlive: true},
		{At: now, ProcessAlive: true, Pushing: pushing}, // and has stood still for ever
	} {
		rows.Seen = seen
		if a := actOf(Plan(rows, now).Do); a != idle && !slices.Contains(acts, a) {
			acts = append(acts, a)
		}
	}
	m.plans[key] = acts
	return acts
}

func actOf(do Do) act {
	switch do {
	case DoFetch, DoPrepare, DoStart:
		return work
	case DoStartAgain:
		return startAgain
	case DoPushed:
		return handOver
	case DoFailRendition:
		return failOne
	case DoFail:
		return giveUp
	case DoSettle:
		return settleAlone
	case DoFinish:
		return finish
	case DoClean:
		return clean
	default:
		return idle
	}
}

// write is a supervisor's transaction; false: it is rolled back.
func (m *model) write(s *system, h, b int, w worker, turn turn) bool {
	t, n := int(w.t), w.attempt
	row, a := &s.transcodes[t], &s.attempts[t][n]
	owned := int(a.boot) == b
	switch {
	case w.act == takeUp:
		if a.stage != cleaned && m.on("take up: newest boot", int(s.hosts[h].boot) == b) {
			a.boot = uint8(b)
			if m.on("start: attempt", row.attempt == n) && m.on("start: placed", row.state == placed) {
				row.state = running
			}
		}
		return true
	case w.act == work && turn == well:
		if m.on("advance: boot", owned) && a.stage == placed {
			a.stage = started
		}
		return true
	case w.act == startAgain:
		if !m.on("start again: boot", owned) || a.stage != started || a.outcome != none {
			return false
		}
		a.stage = placed // and prepared, which is the same here
		return true
	case w.act == finish:
		if m.on("finish: attempt", row.attempt == n) && m.on("finish: running", row.state == running) {
			row.state = storing
		}
		if !m.on("finish: boot", owned) || a.stage == cleaned {
			return false
		}
		a.stage = transcoded
		return true
	case !m.on("write: boot", owned):
		return false
	case w.act == handOver:
		if !m.on("pushed: attempt", row.of == n) || !m.on("pushed: open", row.rendition == open) {
			return false
		}
		row.rendition, a.store = pushed, jobAvailable
		return true
	case w.act == work, w.act == giveUp:
		if m.on("give up: attempt", row.of == n) && m.on("give up: open", row.rendition == open) {
			row.rendition = gaveUp
			if turn == forGood {
				row.rendition = hopeless
			}
		}
		return m.settle(s, t, n)
	case w.act == failOne:
		return m.failRendition(s, t, n)
	default:
		return m.settle(s, t, n)
	}
}

// failRendition is a supervisor's and a store's: RenditionFail and settle.
func (m *model) failRendition(s *system, t int, n uint8) bool {
	row := &s.transcodes[t]
	if m.on("fail: attempt", row.of == n) && m.on("fail: open", row.rendition.is(open, pushed)) {
		row.rendition = gaveUp
	}
	return m.settle(s, t, n)
}

// stale says what a supervisor's write changed that was not its own any more.
func (m *model) stale(was, is *system, b int, w worker) string {
	t, n := int(w.t), int(w.attempt)
	a := was.attempts[t][n]
	changed := was.transcodes[t] != is.transcodes[t]
	switch {
	case w.act == takeUp && is.attempts[t][n].boot < a.boot:
		return "an older boot takes an attempt from a newer one"
	case int(was.transcodes[t].attempt) != n && changed:
		return "an old attempt changes what a newer one relies on"
	case w.act != takeUp && int(a.boot) != b && (changed || was.attempts[t] != is.attempts[t]):
		return "an older boot changes what a newer one relies on"
	}
	return ""
}

// store is a boot's store job: it loads, and commits what came of it, which may be
// anything.
func (m *model) store(s *system, h, b int) {
	w := s.daemons[h][b].store
	if w.act == idle {
		m.fetchStore(s, h, b)
		return
	}
	t, n := int(w.t), int(w.attempt)
	for _, turn := range w.act.turns() {
		to := *s
		row := &to.transcodes[t]
		fits := m.on("store: attempt", int(row.of) == n) && m.on("store: pushed", row.rendition == pushed)
		committed := true
		switch {
		case turn == badly:
			committed = m.failRendition(&to, t, uint8(n))
		case fits:
			row.rendition = verified
			committed = m.settle(&to, t, uint8(n))
		}
		if !committed {
			to = *s
		}
		to.daemons[h][b].store = worker{}
		if a := &to.attempts[t][n]; a.store == runningBy(b) {
			a.store = jobEnded
			if !committed {
				a.store = jobAvailable // River tries again
			}
		}
		broken := ""
		if was := s.transcodes[t]; int(was.of) != n && was != to.transcodes[t] {
			broken = "a store of an old attempt changes what a newer one relies on"
		}
		what := said{"boot %d.%d, for %d-%d: ", [4]int8{int8(h), int8(b), int8(t), int8(n)}, commit, turn}
		m.may(step{to: to, what: what, broken: broken})
	}
}

// fetchStore is River's fetch of a store job with the store's load: it finds the
// rendition pushed, or leaves.
func (m *model) fetchStore(s *system, h, b int) {
	for t := range m.transcodes {
		for n, a := range s.attempts[t] {
			if !a.is || int(a.host) != h || a.store != jobAvailable {
				continue
			}
			to := *s
			if row := &s.transcodes[t]; row.rendition == pushed && int(row.of) == n && !row.state.ended() {
				to.attempts[t][n].store = runningBy(b)
				to.daemons[h][b].store = worker{act: commit, t: uint8(t), attempt: uint8(n)}
			} else {
				to.attempts[t][n].store = jobEnded
			}
			m.may(step{to: to, what: say("boot %d.%d fetches the store of %d-%d", h, b, t, n)})
		}
	}
}
