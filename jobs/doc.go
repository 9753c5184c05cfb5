// Package jobs brings transcodes to their end: the River job kinds, and the state
// machine that they move. It is rows alone: what to do next ([Plan]), what came of it
// ([Decider]), what a failure means ([Kind]), and the operations of Studio and of
// operators ([Transcodes], [Hosts], [Callbacks]). Who does it is below: jobs/host on each
// Mist host, by its Engine, jobs/control on the daemons that lead.
//
// A transcode:
//
//	             place              take up              Mist is done
//	queued ---------------> placed ---------> running ----------------> storing
//	  ^                       |                  |                         |
//	  |   retriable failure   |                  | last rendition, outputs |
//	  +-----------------------+------------------+-------------------------+--> succeeded
//	                          |                  |                         |
//	                          +------------------+-------------------------+--> failed
//	                          any open state: cancel -------------------------> cancelled
//
// Only a retry leaves an end: failed -> queued, as a new run with a
// callback of its own. The schema refuses every other way.
//
// A rendition: expected -> pushing -> pushed -> ok | failed, and back to expected
// with a new attempt unless it is ok; from pushing also within its attempt, when the
// process is started again. An attempt's stage is the last step whose
// effect is on disk or in Mist: placed, fetched, prepared, started, transcoded,
// cleaned; from started back to prepared, when its process starts again: because its
// start hung, or because it ended before all that it returned was pushed. A callback: pending -> delivered | refused | expired |
// superseded.
//
// An output is what is made of the renditions where more is asked for than their files:
// expected -> ok | skipped | failed, and from failed back to expected with a new attempt.
// A transcode's are made at once: one package job begins when the last rendition is ok, and
// the outcome is decided behind it.
//
// # Who writes what
//
// Triggers are recorded as rows and wake the supervisor; they decide nothing. The
// supervisor (kind transcode) loads rows, looks at Mist, the process and the spool,
// and does what [Plan] says. A store finishes, judges and uploads one rendition.
// A package makes the outputs of what is stored. Whoever ends the last open rendition, or
// the outputs, settles the transcode: outcome, attempt, callback and the next job in one
// transaction, under the transcode's row lock.
// Locks are taken in one order: the transcode, then its renditions.
//
// # Crash table
//
// What is repeated when the process dies behind a step and before the next commit:
//
//	step                          committed by                      on the next boot
//	accept, by SQL                the caller                         the job `accept`, or where it was lost another
//	accept                        transcode, renditions, a round     nothing; a lost answer is asked for again by external_id
//	place                         attempt, transcode job            nothing
//	fetch into the spool          attempt.stage fetched             fetched again, over the old file
//	probe, prepare, ladder        attempt.stage prepared            all again
//	add streams                   (nothing)                         added again: an upsert
//	start MistProcLivepeer        attempt.stage started, process    found by its working folder and taken up
//	stop a process for the next   attempt.stage prepared again     found ended or hung, and stopped again
//	start a push                  rendition pushing                 Mist ignores the same push; taken as it is
//	push ends                     rendition pushed, store job       seen in Mist's list and the file's size
//	finish                        (nothing)                         again, from the pushed file
//	judge                         a file beside the finished one    nothing; the pushed file and the source may be gone
//	upload                        rendition ok                      again, to the same key
//	last rendition ok             outcome, callback, callback job   nothing
//	the same, outputs asked for   attempt.package_from, package job nothing
//	bring stored files back       (nothing)                         again: what is not there, or is another file
//	package                       a file in the spool               nothing; anew where the folder went with its host
//	upload to the folder          (nothing)                         what is there is found by its checksum, the rest again
//	begin to publish              attempt.publish_from              nothing; from here players may find it
//	upload by name, masters last  outputs ok, outcome, callback     as in the folder; another attempt has one of its own
//	older folders removed         the job's completion              again: all of it may be repeated
//	Mist cleaned up               attempt.stage cleaned             again: all of it may be repeated
//	spool folder removed          (nothing)                         left; its attempt is cleaned
//	callback sent                 callback attempt                  sent again under the same event id
//	residue removed from S3       the job's completion              again: all of it may be repeated
//
// Mist keeps renditions no longer than its process runs: one that is through before
// the next boot has begun its pushes has worked in vain, and is started again within
// its attempt.
//
// # What an attempt costs
//
// A run has three attempts for failures that eat one ([Kind]); others give theirs back
// and are bounded by the run's age, a day. What the source decides is final at once.
//
// A soft stop ends none of it: the supervisor sees that the pushes have begun, leaves
// MistProcLivepeer running, and the host's next boot takes the attempt up at its stage. After kill -9 the next
// boot ends the dead boot's River rows and inserts new ones (Boot in jobs/host), because
// River has no fencing of attempts and rescues by age alone.
package jobs
