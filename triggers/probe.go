package triggers

import (
	"weir/jobs/doctor"
)

// readProbe makes an event of what doctor posts (jobs/host/checkup) to see where Mist's
// triggers come to: it takes the way of all others into the rows, is of no transcode, and
// counts neither as lost nor as strange. Whoever asked takes the row away again. What it
// holds is not kept: anybody on this machine may post one.
func (l *Listener) readProbe(p *post) event {
	e := event{row: row{
		UUID: p.uuid, HostID: l.cfg.HostID, Trigger: doctor.ProbeTrigger, Headers: p.headers, Payload: []byte{}, PayloadBytes: p.size,
	}}
	e.decide(verdictNoted, "doctor looks whether triggers arrive")
	return e
}
