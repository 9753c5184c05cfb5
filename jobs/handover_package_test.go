package jobs

import (
	"slices"

	"weir/db/dbsqlc"
)

// The packaging in the model of the handover. It begins with a rendition on its way into
// S3: how it comes there is the other fleets'. Its attempt's package job puts a folder of its
// own, then what has a name that another attempt's would replace: a file, and last the master,
// which names what is in the folder. Then it keeps, in one transaction with the outcome.
//
// The fence (AttemptSetPublish) and what is put behind it are one step here. That is what
// [host.lease] is for: a put ends with the lease, and another attempt, which begins when that
// is over, takes longer until its own fence than a request is on its way.

// place is what lies in S3 where a transcode's outputs are asked for.
type place struct {
	folders      [modelAttempts + 1]bool // an attempt's segments and playlists are whole
	file, master uint8                   // whose they are, 0: there is none
}

// stores is where a fleet that packages begins: host 0 is done with Mist, and is to store the
// rendition.
func (m *model) stores(s *system, t int) {
	s.transcodes[t] = transcodeRow{
		state: storing, attempt: 1, left: uint8(m.attempts - 1), rendition: pushed, of: 1, outputs: open, outputsOf: 1,
	}
	s.attempts[t][1] = attemptRow{is: true, boot: 1, stage: cleaned, store: jobAvailable}
}

// outputsRow is the outputs as one row: one job makes all, and one transaction keeps them.
func outputsRow(row *transcodeRow) dbsqlc.Output {
	code, stage, text := CodeRenditionGone, string(StagePackage), ""
	o := dbsqlc.Output{Type: OutputHLS, ErrorCode: &code, ErrorStage: &stage, ErrorMessage: &text}
	switch row.outputs {
	case verified:
		o.State = OutputOK
	case hopeless:
		o.State, code = OutputFailed, CodeSecretUnreadable
	case gaveUp:
		o.State, code = OutputFailed, CodeNothingReturned
	default:
		o.State = OutputExpected
	}
	return o
}

// beginPackage is [Decider.beginPackage].
func beginPackage(a *attemptRow) {
	if !a.packs {
		a.packs, a.pack = true, jobAvailable
	}
}

// order is in what order a package job puts things.
func (m *model) order() []act {
	switch {
	case m.off["package: folder before names"]:
		return []act{putFile, putMaster, putFolder, keep}
	case m.off["package: masters last"]:
		return []act{putFolder, putMaster, putFile, keep}
	default:
		return []act{putFolder, putFile, putMaster, keep}
	}
}

// wrongOutputs says which promise of the outputs a step breaks.
func wrongOutputs(was, is *system, t int) string {
	before, now, row := &was.places[t], &is.places[t], &is.transcodes[t]
	switch {
	case now.master != 0 && !now.folders[now.master]:
		return "a master names what is not there"
	case now.master != before.master && now.file != now.master:
		return "a master comes before the rest"
	case row.state == succeeded && (row.outputs != verified || now.master != row.attempt || now.file != row.attempt || row.outputsOf != row.attempt):
		return "success without its outputs"
	case row.outputs == verified && row.state != succeeded:
		return "outputs are kept, and nothing follows"
	}
	return ""
}

// pack is a boot's package job: it loads, and puts one thing after the other.
func (m *model) pack(s *system, h, b int) {
	w := s.daemons[h][b].pack
	if w.act == idle {
		m.fetchPack(s, h, b)
		return
	}
	t, n := int(w.t), int(w.attempt)
	for _, turn := range w.act.turns() {
		to := *s
		next, done := m.put(&to, h, b, w, turn)
		to.daemons[h][b].pack.act = next
		if next == idle {
			to.daemons[h][b].pack = worker{}
			if a := &to.attempts[t][n]; a.pack == runningBy(b) {
				a.pack = jobEnded
				if !done {
					a.pack = jobAvailable // it snoozes, or River tries again
				}
			}
		}
		what := said{"boot %d.%d, for %d-%d: ", [4]int8{int8(h), int8(b), int8(t), int8(n)}, w.act, turn}
		m.may(step{to: to, what: what, broken: stalePack(s, &to, h, b, w, turn)})
	}
}

// put does what a package job does next, and says what comes then; done: its job is over.
func (m *model) put(s *system, h, b int, w worker, turn turn) (next act, done bool) {
	t, n := int(w.t), w.attempt
	at := &s.places[t]
	switch {
	case turn != well:
		before := *s
		if done = m.failPackage(s, h, b, t, n, turn); !done {
			*s = before
		}
		return idle, done
	case w.act == putFolder:
		at.folders[n] = true
	case w.act == keep:
		before := *s
		if done = m.keep(s, t, n); !done {
			*s = before
		}
		return idle, done
	case !m.fence(s, h, b, w):
		return idle, false
	case w.act == putFile:
		at.file = n
	default:
		at.master = n
	}
	order := m.order()
	return order[slices.Index(order, w.act)+1], false
}

// keep is a package's commit: the outputs' rows, and the outcome; false: it is rolled back.
func (m *model) keep(s *system, t int, n uint8) bool {
	row := &s.transcodes[t]
	works := row.attempt == n && !row.state.ended() && row.state != queued
	if m.on("keep: works", works) && row.outputsOf == n && m.on("keep: expected", row.outputs == open) {
		row.outputs = verified
	}
	return m.settle(s, t, n)
}

// fence is AttemptSetPublish. That it asks for the newest boot and a lease as well spares
// the world a race, and no promise rests on it.
func (m *model) fence(s *system, h, b int, w worker) bool {
	row, a := &s.transcodes[w.t], &s.attempts[w.t][w.attempt]
	if !m.on("publish: outcome", a.outcome == none) ||
		!m.on("publish: newest", row.attempt == w.attempt && row.state.is(running, storing)) ||
		int(s.hosts[h].boot) != b || !s.hosts[h].lease {
		return false
	}
	a.published = true
	return true
}

// failPackage is a package's fail, with FailPackage; false: it is rolled back.
func (m *model) failPackage(s *system, h, b, t int, n uint8, turn turn) bool {
	row := &s.transcodes[t]
	if !m.on("fail package: boot", int(s.hosts[h].boot) == b) {
		return false
	}
	if !m.on("fail package: attempt", row.attempt == n) || row.state.ended() || row.state == queued {
		return true
	}
	if row.outputs == open {
		row.outputs = gaveUp
		if turn == forGood {
			row.outputs = hopeless
		}
	}
	return m.settle(s, t, n)
}

// stalePack says what a package job changed that was not its own any more.
func stalePack(was, is *system, h, b int, w worker, turn turn) string {
	t := int(w.t)
	rows := was.transcodes[t] != is.transcodes[t] || was.attempts[t] != is.attempts[t]
	before, now := was.places[t], is.places[t]
	switch old := was.transcodes[t].attempt != w.attempt; {
	case old && was.transcodes[t] != is.transcodes[t]:
		return "an old attempt changes what a newer one relies on"
	case old && (before.file != now.file || before.master != now.master):
		return "an old attempt puts what a newer one relies on"
	case turn != well && int(was.hosts[h].boot) != b && rows && was.transcodes[t] != is.transcodes[t]:
		return "an older boot changes what a newer one relies on"
	}
	return ""
}

// fetchPack is River's fetch of a package job with its load.
func (m *model) fetchPack(s *system, h, b int) {
	for t := range m.transcodes {
		for n, a := range s.attempts[t] {
			if !a.is || int(a.host) != h || a.pack != jobAvailable {
				continue
			}
			to := *s
			if int(s.transcodes[t].attempt) == n && a.packs && a.outcome == none {
				to.attempts[t][n].pack = runningBy(b)
				to.daemons[h][b].pack = worker{act: m.order()[0], t: uint8(t), attempt: uint8(n)}
			} else {
				to.attempts[t][n].pack = jobEnded
			}
			m.may(step{to: to, what: say("boot %d.%d fetches the package of %d-%d", h, b, t, n)})
		}
	}
}

// residue removes the folders that nobody needs: stale in jobs/host decides. How long readers
// get is not in it, but that they get all of what stands.
func (m *model) residue(s *system) {
	if !m.packages {
		return
	}
	for t := range m.transcodes {
		row := &s.transcodes[t]
		for n, a := range s.attempts[t] {
			newest := m.on("residue: newest", int(row.attempt) != n || row.state != succeeded)
			unread := !a.published || m.off["residue: published"] || row.state == succeeded
			if !row.state.ended() || a.outcome == none || !newest || !unread || !s.places[t].folders[n] {
				continue
			}
			to := *s
			to.places[t].folders[n] = false
			m.may(step{to: to, what: say("what %d-%d has packaged is removed", t, n)})
		}
	}
}
