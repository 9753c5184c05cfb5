package jobs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// guard is a condition that a write is fenced by: its name in the model, and where it
// is written. In the model it is as long as its clause is in the code.
type guard struct {
	name, file, paragraph, clause string
}

// guards are those that a promise rests on. A condition that repeats another one, or
// that takes more than one rendition to matter, is not among them.
func guards() []guard {
	const (
		attempts   = "../sql/attempts.sql"
		hosts      = "../sql/hosts.sql"
		renditions = "../sql/renditions.sql"
		transcodes = "../sql/transcodes.sql"
		byAttempt  = "attempt = @attempt"
		byBoot     = "boot_id = @boot_id"
		anyOpen    = "state IN ('queued', 'placed', 'running', 'storing')"
		unpushed   = "state IN ('expected', 'pushing')"
	)
	return []guard{
		{"place: one round", "../sql/locks.sql", "-- name: PlaceLock ", "pg_advisory_xact_lock"},
		{"place: queued", transcodes, "-- name: TranscodePlace ", "state = 'queued' AND"},
		{"place: ok stays", renditions, "-- name: RenditionExpect ", "state <> 'ok'"},
		{"take up: newest boot", attempts, "-- name: AttemptTakeUp ", "h.boot_id = @boot_id"},
		{"start: attempt", transcodes, "-- name: TranscodeStart ", byAttempt},
		{"start: placed", transcodes, "-- name: TranscodeStart ", "state = 'placed'"},
		{"load: boot", "host/transcode.go", "func (s *supervisor) load(", "*rows.Attempt.BootID != s.host.BootID"},
		{"advance: boot", attempts, "-- name: AttemptSetFetched ", byBoot},
		{"advance: boot", attempts, "-- name: AttemptSetPrepared ", byBoot},
		{"advance: boot", attempts, "-- name: AttemptSetStarted ", byBoot},
		{"start again: boot", attempts, "-- name: AttemptStartAgain ", byBoot},
		{"write: boot", "host/push.go", "func (s *supervisor) pushed(", "s.own("},
		{"write: boot", "host/push.go", "func (s *supervisor) failRendition(", "s.own("},
		{"write: boot", "host/giveup.go", "func (s *supervisor) giveUp(", "s.own("},
		{"write: boot", "host/giveup.go", "func (s *supervisor) settle(", "s.own("},
		{"pushed: attempt", renditions, "-- name: RenditionSetPushed ", byAttempt},
		{"pushed: open", renditions, "-- name: RenditionSetPushed ", unpushed},
		{"give up: attempt", renditions, "-- name: RenditionFailUnpushed ", byAttempt},
		{"give up: open", renditions, "-- name: RenditionFailUnpushed ", unpushed},
		{"fail: attempt", renditions, "-- name: RenditionFail ", byAttempt},
		{"fail: open", renditions, "-- name: RenditionFail ", "state IN ('expected', 'pushing', 'pushed')"},
		{"finish: attempt", transcodes, "-- name: TranscodeSetStoring ", byAttempt},
		{"finish: running", transcodes, "-- name: TranscodeSetStoring ", "state = 'running'"},
		{"finish: boot", attempts, "-- name: AttemptSetTranscoded ", byBoot},
		{"store: attempt", renditions, "-- name: RenditionSetOK ", byAttempt},
		{"store: pushed", renditions, "-- name: RenditionSetOK ", "state = 'pushed'"},
		{"settle: ended", "settle.go", "func (d Decider) Settle(", "Terminal(t.State)"},
		{"succeed: state", transcodes, "-- name: TranscodeSucceed ", "state IN ('running', 'storing')"},
		{"fail: state", transcodes, "-- name: TranscodeFail ", anyOpen},
		{"requeue: state", transcodes, "-- name: TranscodeRequeue ", "state IN ('placed', 'running', 'storing')"},
		{"end: once", attempts, "-- name: AttemptEnd ", "outcome IS NULL"},
		{"cancel: open", "transcodes.go", "func (ts *Transcodes) Cancel(", "Terminal(t.State)"},
		{"cancel: state", transcodes, "-- name: TranscodeCancel ", anyOpen},
		{"renew: boot", hosts, "-- name: HostRenew ", byBoot},
		{"reap: dead", hosts, "-- name: HostGetDead ", "lease_until < now()"},
		{"reap: holder", "lose.go", "func (d Decider) Lose(", "*t.HostID != host"},
		{"reap: ended", "lose.go", "func (d Decider) Lose(", "Terminal(t.State)"},
		{"reap: all stored", "lose.go", "func (d Decider) lost(", "allOK("},
		{"reconcile: owner", "work.go", "func (w *Work) Abandoned(", "!works(w)"},
		{"reconcile: attempts", hosts, "-- name: HostWork ", "a.cleaned_at IS NULL"},
		{"reconcile: stores", hosts, "-- name: HostWork ", "r.state = 'pushed'"},
	}
}

// missing names the guards that are not in the code as the model knows them.
func missing(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, guard := range guards() {
		text, err := os.ReadFile(filepath.FromSlash(guard.file))
		require.NoError(t, err)
		end := "\n\n"
		if strings.HasSuffix(guard.file, ".go") {
			end = "\n}\n"
		}
		_, paragraph, _ := strings.Cut(string(text), guard.paragraph)
		paragraph, _, _ = strings.Cut(paragraph, end)
		if !strings.Contains(paragraph, guard.clause) {
			names = append(names, guard.name)
		}
	}
	return names
}

// TestHandoverGuards leaves guards out, alone or with those that hold in their place,
// and sees that the checker finds the promise that breaks: it is no rubber stamp, and
// none of them is idle.
func TestHandoverGuards(t *testing.T) {
	t.Parallel()
	small := fleet{hosts: 2, transcodes: 1, attempts: 2, faults: 1}
	named := map[string]bool{}
	for _, test := range []struct {
		without []string
		in      fleet
		broken  string
	}{
		{[]string{"place: one round"}, fleet{hosts: 2, transcodes: 2, attempts: 1}, "more than its slots"},
		{[]string{"place: queued"}, small, "an end was changed"},
		{[]string{"place: ok stays"}, small, "a stored rendition was lost"},
		{[]string{"take up: newest boot"}, small, "an older boot takes"},
		{[]string{"start: attempt"}, small, "an old attempt changes"},
		{[]string{"start: placed"}, small, "an end was changed"},
		{[]string{"write: boot"}, small, "an older boot changes"},
		{[]string{"write: boot", "load: boot"}, small, "an older boot changes"},
		{[]string{"start again: boot"}, small, "an older boot changes"},
		{[]string{"advance: boot"}, small, "an older boot changes"},
		{[]string{"pushed: attempt"}, small, "an old attempt changes"},
		{[]string{"pushed: open"}, small, "an end was changed"},
		{[]string{"give up: attempt"}, small, "an old attempt changes"},
		{[]string{"give up: open"}, small, "an end was changed"},
		{[]string{"fail: attempt"}, small, "an old attempt changes"},
		{[]string{"fail: open"}, small, "an end was changed"},
		{[]string{"finish: attempt"}, small, "an old attempt changes"},
		{[]string{"finish: running"}, small, "an end was changed"},
		{[]string{"finish: boot"}, small, "an older boot changes"},
		{[]string{"store: attempt"}, small, "a store of an old attempt"},
		{[]string{"store: pushed"}, small, "an end was changed"},
		{[]string{"settle: ended", "succeed: state"}, small, "an end was changed"},
		{[]string{"settle: ended", "fail: state"}, small, "an end was changed"},
		{[]string{"settle: ended", "requeue: state"}, small, "an end was changed"},
		{[]string{"end: once"}, small, "two outcomes"},
		{[]string{"cancel: open", "cancel: state"}, small, "an end was changed"},
		{[]string{"renew: boot"}, small, "an older boot keeps the lease"},
		{[]string{"reap: dead"}, small, "taken from a host that is alive"},
		{[]string{"reap: holder"}, small, "taken from a host that is alive"},
		{[]string{"reap: ended", "requeue: state"}, small, "an end was changed"},
		{[]string{"reap: all stored"}, fleet{hosts: 1, transcodes: 1, attempts: 2, faults: 2}, "failed with all its renditions stored"},
		{[]string{"reconcile: owner"}, fleet{hosts: 1, transcodes: 1, attempts: 1, faults: 1}, "nothing brings it to its end"},
		{[]string{"reconcile: attempts"}, fleet{hosts: 1, transcodes: 1, attempts: 1, faults: 1}, "nothing brings it to its end"},
		{[]string{"reconcile: stores"}, fleet{hosts: 1, transcodes: 1, attempts: 1, faults: 1}, "nothing brings it to its end"},
	} {
		for _, name := range test.without {
			named[name] = true
		}
		t.Run("without "+strings.Join(test.without, ", "), func(t *testing.T) {
			t.Parallel()
			m := newModel(test.in, test.without...)
			require.Contains(t, m.check(), test.broken)
		})
	}
	for _, guard := range guards() {
		require.Contains(t, named, guard.name, "nothing shows that it is needed")
	}
}
