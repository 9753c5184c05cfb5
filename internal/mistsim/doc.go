/*
Package mistsim is a stand-in for a host with a MistServer: enough of its
controller, streams, pushes and triggers that Weir cannot tell the difference,
the bad parts included. The recordings in testdata are the measure; TestReplay
plays each of their scenarios and compares.

# A host

A host is a folder. The controller (Server here, the program cmd/mistsim) keeps
a unix socket in it; MistProcLivepeer (cmd/MistProcLivepeer) is started by its
path in that folder and finds the socket beside itself, as real Mist binaries
find each other in /dev/shm. Pushes are processes of their own (RunPush), and a
push id is a pid: they can be stopped, killed and waited for. So is the input of a
source, MistInTS: MistProcLivepeer starts it in its own session, and it keeps
pages of the source's size, which take no room, in the shared memory's folder
(Config.ShmDir, the environment's MISTSIM_SHM_DIR, else /dev/shm).

	<dir>/mistsim.sock       the controller, for the host's processes
	<dir>/MistProcLivepeer   built or linked there by whoever starts the host
	<dir>/config.json        config and streams, saved at a clean exit and 60 s
	                         after a change

	addstream -> kickoff -> cut at keyframes -> Broadcaster -> sink's buffer -> pushes -> files
	                 (MistProcLivepeer)        (HTTP)          (controller)   (RunPush)

# What it imitates

  - /api2: JSON under exactly application/json, always 200, no errors, commands
    in a fixed order; the auth challenge, NOACC, local authorization.
  - config.triggers replaced as a whole; handlers matched by the full name or the
    part before '+'; five attempts, then lost; async deliveries close the socket
    at once; the headers of both trees.
  - Streams: .ts files on local disk, opened at kickoff; live sinks of a process;
    wildcard names. Media time is DTS/90 in whole milliseconds, 0 where a PES has
    none; what shares a millisecond is one packet; a packet older than its track's
    last is dropped. Keyframes are IDR pictures and I slices, whatever a stream flags.
    Rates are the codec header's (HEVC: the VUI's), in 16 bits, and never measured.
  - LIVE_TRACK_LIST at every change of the track set, null (Livepeer) or an empty
    line (Upstream) at the end; nothing when the buffer is nuked.
  - Pushes: exactly the packets before recstop, from the earliest or from the
    newest keyframe at least 5 s old; a duplicate, an offline stream or an
    unknown target is ignored without a word. The last frame of a stream that
    ends is never written, nor is what a push has not reached by then (SHM_LOST).
    25 s without data end it.
  - resume on a sink: 1 keeps its tracks for pushes and the next process, until
    nobody has used them for 30 s; 2 is the same on Upstream, and starts afresh
    with the next process on Livepeer.
  - MistProcLivepeer: sizes floored to 16, all else of a profile as it came, 25 frames
    where no rate is known; cuts after a second or at parameter sets; two slots and
    their turns, a refusal out of turn that stops all; five attempts of two tries, each
    ended by silence for the segment's length and 2 s; the lost tail; exit code 0 for all
    but start-up failures; the hang on a source of one GOP or of no media, or on a
    gateway that answers 401; the crash on a list without addresses; percent_done that
    underflows. The gateway's list is asked for without the token.
  - Inputs that take a second to go after SIGTERM, and leave their pages when they
    are killed; a nuke that on Upstream then removes the metadata only; ended streams
    that Upstream lists as Offline for 25 s.
  - nuke_stream, push_stop, SIGTERM and SIGKILL of every part.

# What it does not

  - Sources other than local .ts files; processes in a stream's config; viewers;
    recordings in other formats; external writers; auto-pushes; the websocket and
    UDP APIs; $variables in targets; pushes from file streams; track_inhibit, which
    is taken out of profiles and never matches.
  - Trigger handlers other than http://; STREAM_BUFFER, PUSH_OUT_START and other
    triggers that Weir does not use; "#tag" and "!name" filters.
  - The size of a host: /dev/shm limits, UDP loss, a controller's slowness (there
    are faults for the last).
  - Races: where the recordings show one outcome of a race (a push ended by the
    buffer's SIGTERM instead of its end), the stand-in always shows the other.
    The race of pushes against the end of a stream is run; Config.AwaitPushes lets
    pushes win it always.
  - An input outlives its controller only as long as it takes to end.

# When things break

A controller that is killed takes its pushes and processes with it within
moments: they see their socket close. A restart has a new iid and only what
config.json holds. Faults, by Config or over FaultsPath, lose, double, delay and
reorder triggers, make the API slow or dead, and by count lose pushes and hang
starts; ForgePath sends a trigger that never happened.
*/
package mistsim
