package filter

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"weir/jobs"
)

// Label is one of a transcode's labels.
type Label = jobs.Label

// Filter says which transcodes are meant; the zero one means all.
type Filter struct {
	Tenants, Codes, Hosts, States, ExternalIDs []string
	// Broadcasters are those of the newest attempt.
	Broadcasters []string
	Labels       []Label
	// Destinations are the receivers of callbacks, as HOST or HOST:PORT; Callbacks the
	// states of the run's callback.
	Destinations, Callbacks []string
	// Older and Younger are since the acceptance; 0: not asked for.
	Older, Younger time.Duration
	// EndedBefore and EndedWithin are since the end.
	EndedBefore, EndedWithin time.Duration
}

// Timed says whether a time is in it, so that what it means depends on when it is asked.
func (f *Filter) Timed() bool { return f.Older+f.Younger+f.EndedBefore+f.EndedWithin > 0 }

// longest bounds a text: what a person types, or a script composes.
const longest = 4000

// Empty says whether all transcodes are meant.
func (f *Filter) Empty() bool { return f.String() == "" }

// Parse reads a filter. Its errors name the word that is wrong, and say what there is.
func Parse(text string) (f Filter, err error) {
	if len(text) > longest {
		return Filter{}, fmt.Errorf("the filter is longer than %d bytes", longest)
	}
	if !utf8.ValidString(text) { // reading it rune by rune would mend it
		return Filter{}, errors.New("the filter is no UTF-8")
	}
	words, err := split(text)
	if err != nil {
		return Filter{}, err
	}
	for _, word := range words {
		if err := f.add(word); err != nil {
			return Filter{}, fmt.Errorf("%q in the filter: %w", word, err)
		}
	}
	if err := f.contradiction(); err != nil {
		return Filter{}, err
	}
	return f, nil
}

// add reads one word into the filter.
func (f *Filter) add(word string) error {
	at := strings.IndexAny(word, ":<>")
	if at < 0 {
		return fmt.Errorf("is no KEY:VALUE: %s", thereIs())
	}
	name, sign, value := word[:at], word[at:at+1], word[at+1:]
	if sign != ":" {
		into := f.times()[name+sign]
		if into == nil {
			return fmt.Errorf("there is no %s%s: %s", name, sign, thereIs())
		}
		if *into != 0 {
			return fmt.Errorf("%s%s is there twice", name, sign)
		}
		d, err := Duration(value)
		*into = d
		return err
	}
	if name == labelKey {
		return f.addLabel(value)
	}
	for _, key := range keys() {
		if key.name != name {
			continue
		}
		if err := key.check(value); err != nil {
			return err
		}
		if values := key.of(f); !slices.Contains(*values, value) {
			*values = append(*values, value)
		}
		return nil
	}
	return fmt.Errorf("there is no %s: %s", name, thereIs())
}

func (f *Filter) addLabel(text string) error {
	key, value, found := strings.Cut(text, "=")
	if !found {
		return errors.New("a label is written as label:KEY=VALUE")
	}
	if len(key) > labelKeyMost || !labelKeys.MatchString(key) {
		return fmt.Errorf("a label's key has letters, digits and, within, '_', '.', '/' and '-', up to %d", labelKeyMost)
	}
	if err := upTo(labelValueMost)(value); err != nil {
		return err
	}
	if label := (Label{Key: key, Value: value}); !slices.Contains(f.Labels, label) {
		f.Labels = append(f.Labels, label)
	}
	return nil
}

// contradiction is what no transcode can be.
func (f *Filter) contradiction() error {
	if f.Older != 0 && f.Younger != 0 && f.Older >= f.Younger {
		return fmt.Errorf("no transcode is older than %s and younger than %s", Length(f.Older), Length(f.Younger))
	}
	if f.EndedBefore != 0 && f.EndedWithin != 0 && f.EndedBefore >= f.EndedWithin {
		return fmt.Errorf("no transcode has ended more than %s ago and within %s", Length(f.EndedBefore), Length(f.EndedWithin))
	}
	return nil
}

// String is the filter as Parse reads it, in one order of keys.
func (f *Filter) String() string {
	var words []string
	for _, key := range keys() {
		for _, value := range *key.of(f) {
			words = append(words, key.name+":"+quote(value))
		}
	}
	for _, label := range f.Labels {
		words = append(words, labelKey+":"+label.Key+"="+quote(label.Value))
	}
	for _, name := range timeNames() {
		if d := *f.times()[name]; d != 0 {
			words = append(words, name+Length(d))
		}
	}
	return strings.Join(words, " ")
}
