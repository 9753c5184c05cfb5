// Package doctor is what daemons find around them: the words (codes, verdicts, evidence,
// the line that mends it), the rows in which they are asked and answer, and the checks of
// the database itself. What else is looked at is checked where it belongs: a host's Mist,
// tools, disks, stores and Broadcasters in jobs/host/checkup, receivers in jobs/control.
//
//	weir-admin doctor                      a daemon
//	  examination, whom it asks, jobs -->    job `examine`, in a queue that it has anyway
//	  looks at the database itself           looks
//	  waits for answers               <--    findings, and that it has answered
//
// Who does not answer in time is a finding too (`daemon.silent`). A leader asks all for the
// cheap checks again and again, so that rows say how things are when nobody is there.
package doctor
