package jobs

// CrashPoint is a step boundary of the crash table in doc.go: before or behind a
// commit or a side effect.
type CrashPoint string

// The crash points, in the order that a transcode meets them.
const (
	CrashAccepting       CrashPoint = "accepting"        // before the commit of the request
	CrashAccepted        CrashPoint = "accepted"         // behind it, before the answer
	CrashPlacing         CrashPoint = "placing"          // before the commit of a round
	CrashPlaced          CrashPoint = "placed"           // behind it
	CrashTakenUp         CrashPoint = "taken-up"         // the attempt is this boot's
	CrashFetched         CrashPoint = "fetched"          // the source is in the spool, its row does not say so
	CrashFetchRecorded   CrashPoint = "fetch-recorded"   // its row does
	CrashPrepared        CrashPoint = "prepared"         // the padded file is there
	CrashPrepareRecorded CrashPoint = "prepare-recorded" // its row says so
	CrashStreamsAdded    CrashPoint = "streams-added"    // Mist knows the streams
	CrashStarted         CrashPoint = "started"          // MistProcLivepeer runs, its row does not say so
	CrashStartRecorded   CrashPoint = "start-recorded"   // its row does
	CrashStoppedAgain    CrashPoint = "stopped-again"    // a process is ended for the next one, its row does not say so
	CrashAgainRecorded   CrashPoint = "again-recorded"   // its row does
	CrashPushStarted     CrashPoint = "push-started"     // Mist pushes, its row does not say so
	CrashPushRecorded    CrashPoint = "push-recorded"    // its row does
	CrashPushed          CrashPoint = "pushed"           // a file is complete, before the commit
	CrashPushedRecorded  CrashPoint = "pushed-recorded"  // behind it: its store job is there
	CrashFinished        CrashPoint = "finished"         // a store has finished the file
	CrashUploaded        CrashPoint = "uploaded"         // the object is verified, before the commit
	CrashStored          CrashPoint = "stored"           // behind it
	CrashPacked          CrashPoint = "packed"           // outputs are packaged in the spool
	CrashPublishing      CrashPoint = "publishing"       // all that playlists name is stored, nothing has a name of its own
	CrashPublished       CrashPoint = "published"        // the masters are there, before the commit
	CrashPackaged        CrashPoint = "packaged"         // behind it
	CrashTranscoded      CrashPoint = "transcoded"       // Mist is done, and the row says so
	CrashProcessStopped  CrashPoint = "process-stopped"  // MistProcLivepeer is ended
	CrashStreamsRemoved  CrashPoint = "streams-removed"  // Mist knows nothing any more
	CrashCleaned         CrashPoint = "cleaned"          // the row says so, the folder is there
	CrashDelivered       CrashPoint = "delivered"        // Studio has the callback, its row does not say so
	CrashDeliveryKept    CrashPoint = "delivery-kept"    // its row does
)

// CrashPoints lists those that every transcode meets: all but CrashStoppedAgain and
// CrashAgainRecorded, and [PackagePoints].
func CrashPoints() []CrashPoint {
	return []CrashPoint{
		CrashAccepting, CrashAccepted, CrashPlacing, CrashPlaced, CrashTakenUp, CrashFetched, CrashFetchRecorded,
		CrashPrepared, CrashPrepareRecorded, CrashStreamsAdded, CrashStarted, CrashStartRecorded, CrashPushStarted,
		CrashPushRecorded, CrashPushed, CrashPushedRecorded, CrashFinished, CrashUploaded, CrashStored,
		CrashTranscoded, CrashProcessStopped, CrashStreamsRemoved, CrashCleaned, CrashDelivered, CrashDeliveryKept,
	}
}

// PackagePoints lists those of a transcode that has outputs.
func PackagePoints() []CrashPoint {
	return []CrashPoint{CrashPacked, CrashPublishing, CrashPublished, CrashPackaged}
}
