package triggers

import "fmt"

// inputAbort says that an input ended in a way that Mist calls unclean. Upstream's
// Mist sends it for every source at its end, so it fails nothing.
type inputAbort struct {
	stream, source, binary, pid, reason, words string
}

// inputAbortLines are those to the reason; the words behind it may be missing.
const inputAbortLines = 5

// parseInputAbort reads: stream; source; binary; pid; reason; words.
func parseInputAbort(payload []byte) (inputAbort, error) {
	all, err := lines(payload, inputAbortLines)
	return inputAbort{
		stream: line(all, 0), source: line(all, 1), binary: line(all, 2),
		pid: line(all, 3), reason: line(all, 4), words: line(all, 5),
	}, err
}

func inputAbortHint(payload []byte) (hint, error) {
	a, err := parseInputAbort(payload)
	h := hint{stream: a.stream}
	if err != nil {
		return h, err
	}
	h.note = fmt.Sprintf("%s %s of %s: %s: %s", a.binary, a.pid, a.source, a.reason, a.words)
	return h, nil
}
