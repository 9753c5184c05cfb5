package storage

import "sync"

// mostLessons bounds what is remembered: requests name the servers. Forgetting all of it
// costs each server a request again.
const mostLessons = 10_000

// lessons are what servers taught by refusing, kept in memory because the next refusal
// teaches them again. They are safe for concurrent use.
type lessons struct {
	mu      sync.Mutex
	forms   map[string]form   // by endpoint
	regions map[string]string // by endpoint and bucket
	without map[string]bool   // by endpoint: it knows no conditions of writes
}

func newLessons() *lessons {
	return &lessons{forms: map[string]form{}, regions: map[string]string{}, without: map[string]bool{}}
}

func (l *lessons) form(endpoint string) form {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.forms[endpoint]
}

func (l *lessons) region(endpoint, bucket string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.regions[endpoint+"/"+bucket]
}

// keepForm remembers a form that the server took after it had refused those before it.
func (l *lessons) keepForm(endpoint string, form form) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.forms) >= mostLessons {
		clear(l.forms)
	}
	l.forms[endpoint] = max(form, l.forms[endpoint])
}

func (l *lessons) keepRegion(endpoint, bucket, region string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.regions) >= mostLessons {
		clear(l.regions)
	}
	l.regions[endpoint+"/"+bucket] = region
}

// unconditional says whether a server took an upload only without its condition.
func (l *lessons) unconditional(endpoint string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.without[endpoint]
}

func (l *lessons) keepUnconditional(endpoint string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.without) >= mostLessons {
		clear(l.without)
	}
	l.without[endpoint] = true
}
