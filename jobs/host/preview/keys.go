package preview

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"weir/jobs"
	"weir/storage"
)

const (
	// keysFor bounds what a request waits for: its caller gives it 5 s.
	keysFor = 2 * time.Second
	// keysMost is how many requests wait so at once; those beyond wait for nothing.
	keysMost = 16
	// keysKnown is for how long a bucket that took an object of a key, or did not answer, is
	// not asked again: requests come by the hundred a second, with the same few keys.
	keysKnown = 5 * time.Minute
	// keysKept bounds what is remembered: requests name the keys.
	keysKept = 10_000
)

// keys are those that need no try just now, by the sum of what they are: no secret is kept.
type keys struct {
	mu      sync.Mutex
	tried   map[[sha256.Size]byte]time.Time
	waiting int
}

// enter says whether a bucket is to be tried with its keys, and who does so leaves.
func (k *keys) enter(sum [sha256.Size]byte, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if at, is := k.tried[sum]; is && now.Sub(at) < keysKnown || k.waiting >= keysMost {
		return false
	}
	k.waiting++
	return true
}

// leave keeps a bucket for known, unless its keys are refused.
func (k *keys) leave(sum [sha256.Size]byte, refused bool, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.waiting--
	if refused {
		delete(k.tried, sum)
		return
	}
	if len(k.tried) >= keysKept {
		clear(k.tried)
	}
	k.tried[sum] = now
}

// Refused are those of a request's outputs, by their places in it, whose storage refuses the
// keys that the request brings along, or has no such bucket: no waiting mends that. A storage
// that does not answer at once, or is in trouble, refuses nothing: transcodes wait for it.
// Keys of the tenant's stores are no caller's to mend.
func (p *Previewer) Refused(ctx context.Context, req *jobs.Request) map[int]*jobs.Failure {
	ctx, cancel := context.WithTimeout(ctx, keysFor)
	defer cancel()
	var refused map[int]*jobs.Failure
	told := map[[sha256.Size]byte]*jobs.Failure{}
	for i := range req.Outputs {
		place, err := storage.ParseLocation(req.Outputs[i].URL)
		if err != nil || place.NeedsServer() {
			continue
		}
		bucket := place
		for bucket.Key() != "" {
			bucket = bucket.Folder()
		}
		sum := sha256.Sum256([]byte(bucket.Secret()))
		if _, known := told[sum]; !known {
			told[sum] = p.refuses(ctx, sum, place, req.Outputs[i].Type)
		}
		if told[sum] != nil {
			if refused == nil {
				refused = map[int]*jobs.Failure{}
			}
			refused[i] = told[sum]
		}
	}
	return refused
}

// refuses tries a place; nil: it takes objects, or nobody knows.
func (p *Previewer) refuses(ctx context.Context, sum [sha256.Size]byte, place storage.Location, kind string) *jobs.Failure {
	if !p.keys.enter(sum, time.Now()) {
		return nil
	}
	if kind == jobs.OutputSource {
		place = place.Folder()
	}
	err := p.cfg.Storage.TryWrite(ctx, place)
	var ofStorage *storage.Error
	final := errors.As(err, &ofStorage) && (ofStorage.Code == storage.CodeCredentialsRefused || ofStorage.Code == storage.CodeBucketMissing)
	p.keys.leave(sum, final, time.Now())
	if !final {
		return nil
	}
	return jobs.FailureOf(err, jobs.StagePackage)
}
