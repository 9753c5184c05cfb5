package filter

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/jobs"
)

// MostLists is how many lists one filter may come to, as each combination of its values is
// one, found by an index of its own.
const MostLists = 50

// Lists are what the filter means at a time, by the database's clock: a list for each
// combination of its values, of which no two mean one transcode.
func (f *Filter) Lists(now time.Time) ([]jobs.Filter, error) {
	if err := f.findable(); err != nil {
		return nil, err
	}
	lists := []jobs.Filter{{}}
	for _, of := range []struct {
		values []string
		set    func(*jobs.Filter, *string)
	}{
		{f.Tenants, func(l *jobs.Filter, v *string) { l.Tenant = v }},
		{f.States, func(l *jobs.Filter, v *string) { l.State = v }},
		{f.Codes, func(l *jobs.Filter, v *string) { l.Code = v }},
		{f.Hosts, func(l *jobs.Filter, v *string) { l.HostID = v }},
		{f.Broadcasters, func(l *jobs.Filter, v *string) { l.Broadcaster = v }},
		{f.ExternalIDs, func(l *jobs.Filter, v *string) { l.ExternalID = v }},
		{lower(f.Destinations), func(l *jobs.Filter, v *string) { l.Destination = v }},
		{f.Callbacks, func(l *jobs.Filter, v *string) { l.CallbackState = v }},
	} {
		if len(of.values) > 0 {
			lists = combine(lists, of.values, func(l *jobs.Filter, v string) { of.set(l, &v) })
		}
	}
	for _, key := range f.labelKeys() {
		var values []string
		for _, label := range f.Labels {
			if label.Key == key {
				values = append(values, label.Value)
			}
		}
		lists = combine(lists, values, func(l *jobs.Filter, v string) { l.Labels = append(slices.Clone(l.Labels), Label{Key: key, Value: v}) })
	}
	if len(lists) > MostLists {
		return nil, fmt.Errorf("the filter has %d combinations of values, or more: %d are the most; ask in several goes", len(lists), MostLists)
	}
	for i := range lists {
		l := &lists[i]
		l.CreatedTo, l.CreatedFrom = ago(now, f.Older), ago(now, f.Younger)
		l.EndedTo, l.EndedFrom = ago(now, f.EndedBefore), ago(now, f.EndedWithin)
	}
	return lists, nil
}

// findable refuses what would have to look at each transcode that there ever was.
func (f *Filter) findable() error {
	if len(f.Labels) > 0 && len(f.Tenants) == 0 {
		return errors.New("labels are a tenant's: give tenant: with label:")
	}
	if len(f.Broadcasters)+len(f.Destinations)+len(f.Callbacks) > 0 && f.Younger == 0 && f.EndedWithin == 0 {
		return errors.New("broadcaster:, destination: and callback: are looked for one by one: give age< or ended< with them")
	}
	return nil
}

// combine makes of each list one with each value. What is too many anyway is not all made.
func combine(lists []jobs.Filter, values []string, set func(*jobs.Filter, string)) (all []jobs.Filter) {
	for _, list := range lists {
		for _, value := range values {
			if len(all) > MostLists {
				return all
			}
			one := list
			set(&one, value)
			all = append(all, one)
		}
	}
	return all
}

// labelKeys are those of the labels, in their order.
func (f *Filter) labelKeys() (all []string) {
	for _, label := range f.Labels {
		if !slices.Contains(all, label.Key) {
			all = append(all, label.Key)
		}
	}
	return all
}

func lower(values []string) (all []string) {
	for _, value := range values {
		if value = strings.ToLower(value); !slices.Contains(all, value) {
			all = append(all, value)
		}
	}
	return all
}

func ago(now time.Time, d time.Duration) *time.Time {
	if d == 0 {
		return nil
	}
	at := now.Add(-d)
	return &at
}
