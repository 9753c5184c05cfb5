package filter

import (
	"encoding/json"
	"fmt"
	"time"

	"weir/jobs"
)

// OfCallbacks is what the filter means of callbacks at a time: callback: and destination:
// are each one's own, and ended is when its outcome was decided.
func (f *Filter) OfCallbacks(now time.Time) (jobs.Whose, error) {
	others := *f
	others.Callbacks = nil // they are found by an index
	if err := others.findable(); err != nil {
		return jobs.Whose{}, err
	}
	return f.whose(now)
}

// OfTriggers is what the filter means of triggers: host: is that which posted each.
func (f *Filter) OfTriggers(now time.Time) (jobs.Whose, error) {
	if err := f.findable(); err != nil {
		return jobs.Whose{}, err
	}
	return f.whose(now)
}

func (f *Filter) whose(now time.Time) (jobs.Whose, error) {
	w := jobs.Whose{
		Tenants: f.Tenants, States: f.States, Codes: f.Codes, HostIDs: f.Hosts, ExternalIDs: f.ExternalIDs, Broadcasters: f.Broadcasters,
		Destinations: lower(f.Destinations), CallbackStates: f.Callbacks,
		CreatedTo: ago(now, f.Older), CreatedFrom: ago(now, f.Younger), EndedTo: ago(now, f.EndedBefore), EndedFrom: ago(now, f.EndedWithin),
	}
	if len(f.Labels) == 0 {
		return w, nil
	}
	labelled := Filter{Tenants: f.Tenants[:1], Labels: f.Labels}
	lists, err := labelled.Lists(now) // one for each combination of the labels
	if err != nil {
		return jobs.Whose{}, err
	}
	for i := range lists {
		labels := map[string]string{}
		for _, label := range lists[i].Labels {
			labels[label.Key] = label.Value
		}
		text, err := json.Marshal(labels)
		if err != nil {
			return jobs.Whose{}, fmt.Errorf("write labels: %w", err)
		}
		w.Labels = append(w.Labels, string(text))
	}
	return w, nil
}
