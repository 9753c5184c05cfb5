package api

import (
	"container/list"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/time/rate"
)

const (
	// burstSeconds of its rate a token may use at once: callers come in waves.
	burstSeconds = 2
	// mostKnown bounds what is remembered of addresses: whoever comes chooses them.
	mostKnown = 10_000
	// prefix6 is what one caller has of IPv6.
	prefix6 = 64
)

// rates are how much each caller may ask, in this daemon. All of it may be forgotten.
type rates struct {
	// tokens are by their places in Tokens.
	tokens []*rate.Limiter
	// failures are attempts without a known token, by address.
	failures *recent[netip.Prefix, *rate.Limiter]
	// good are from where which token was seen: it is not in the way of those who know
	// theirs when somebody behind the same address guesses.
	good *recent[from, struct{}]
}

// from is a token that was sent from an address.
type from struct {
	address netip.Prefix
	token   int
}

// newRates takes requests a second for each token and attempts a minute for each
// address; 0 is any number.
func newRates(tokens, perSecond, failuresPerMinute int) *rates {
	r := &rates{good: newRecent[from, struct{}](mostKnown, nil)}
	if perSecond > 0 {
		for range tokens {
			r.tokens = append(r.tokens, rate.NewLimiter(rate.Limit(perSecond), burstSeconds*perSecond))
		}
	}
	if failuresPerMinute > 0 {
		r.failures = newRecent[netip.Prefix](mostKnown, func() *rate.Limiter {
			return rate.NewLimiter(rate.Limit(float64(failuresPerMinute)/time.Minute.Seconds()), failuresPerMinute)
		})
	}
	return r
}

// wait is how long a caller has to wait, 0 for not at all. The token is -1 where it is
// not known.
func (r *rates) wait(address netip.Prefix, token int, now time.Time) time.Duration {
	if token < 0 {
		if r.failures == nil {
			return 0
		}
		return take(r.failures.get(address), now)
	}
	// While an address is out of attempts a right guess from there shall not show.
	if r.failures != nil && !r.good.has(from{address, token}) {
		if limiter, known := r.failures.peek(address); known && limiter.TokensAt(now) < 1 {
			return take(limiter, now)
		}
	}
	r.good.get(from{address, token})
	if r.tokens == nil {
		return 0
	}
	return take(r.tokens[token], now)
}

// take takes one of a limiter's where there is one, and says else when there will be.
func take(limiter *rate.Limiter, now time.Time) time.Duration {
	reservation := limiter.ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait > 0 {
		reservation.CancelAt(now)
	}
	return wait
}

// addressOf is where a request comes from: an address of IPv4, or what one caller has of
// IPv6. What a header says of it anybody can write.
func addressOf(r *http.Request) netip.Prefix {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Prefix{}
	}
	address := at.Addr().Unmap().WithZone("")
	bits := address.BitLen()
	if address.Is6() {
		bits = prefix6
	}
	prefix, err := address.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}

// tooMany answers a caller that has to wait.
func (s *server) tooMany(ctx huma.Context, wait time.Duration) {
	ctx.SetHeader("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	_ = huma.WriteErr(s.huma, ctx, http.StatusTooManyRequests, "too many requests; try again after Retry-After")
}

// describeRates adds the answer to all routes that need a token.
func describeRates(doc *huma.OpenAPI) {
	for _, path := range doc.Paths {
		for _, op := range []*huma.Operation{path.Get, path.Post, path.Put, path.Patch, path.Delete} {
			if op != nil && len(op.Security) > 0 && op.Responses["429"] == nil {
				described := *op.Responses["401"]
				described.Description = http.StatusText(http.StatusTooManyRequests)
				described.Headers = map[string]*huma.Param{"Retry-After": {
					Description: "Seconds", Schema: &huma.Schema{Type: huma.TypeInteger},
				}}
				op.Responses["429"] = &described
			}
		}
	}
}

// recent keeps what was used last, up to a number of them.
type recent[K comparable, V any] struct {
	mu    sync.Mutex
	most  int
	fresh func() V
	order *list.List // of *kept, the newest first
	all   map[K]*list.Element
}

type kept[K comparable, V any] struct {
	key   K
	value V
}

func newRecent[K comparable, V any](most int, fresh func() V) *recent[K, V] {
	return &recent[K, V]{most: most, fresh: fresh, order: list.New(), all: map[K]*list.Element{}}
}

// get returns what is kept for key, or makes it.
func (r *recent[K, V]) get(key K) (value V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if element, known := r.all[key]; known {
		r.order.MoveToFront(element)
		return element.Value.(*kept[K, V]).value //nolint:errcheck // only these are put in
	}
	if r.fresh != nil {
		value = r.fresh()
	}
	r.all[key] = r.order.PushFront(&kept[K, V]{key, value})
	if len(r.all) > r.most {
		oldest := r.order.Back()
		delete(r.all, r.order.Remove(oldest).(*kept[K, V]).key) //nolint:errcheck // as above
	}
	return value
}

// peek returns what is kept for key.
func (r *recent[K, V]) peek(key K) (value V, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	element, known := r.all[key]
	if !known {
		return value, false
	}
	return element.Value.(*kept[K, V]).value, true //nolint:errcheck // as above
}

func (r *recent[K, V]) has(key K) bool {
	_, known := r.peek(key)
	return known
}
