package filter

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"weir/jobs"
)

const (
	labelKey = "label"
	// labelKeyMost and labelValueMost are what a request may have.
	labelKeyMost, labelValueMost = 64, 128
	// valueMost is that of an external id, the longest of all.
	valueMost = 200
)

var (
	names     = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,64}$`)
	labelKeys = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9_./-]*[a-zA-Z0-9])?$`)
)

// key is one that takes values.
type key struct {
	name  string
	of    func(*Filter) *[]string
	check func(value string) error
}

// keys are all but labels', in the order that a filter is written in.
func keys() []key {
	return []key{
		{"tenant", func(f *Filter) *[]string { return &f.Tenants }, named},
		{"state", func(f *Filter) *[]string { return &f.States }, oneOf("state", jobs.States())},
		{"code", func(f *Filter) *[]string { return &f.Codes }, oneOf("code", codes())},
		{"host", func(f *Filter) *[]string { return &f.Hosts }, named},
		{"broadcaster", func(f *Filter) *[]string { return &f.Broadcasters }, upTo(valueMost)},
		{"external_id", func(f *Filter) *[]string { return &f.ExternalIDs }, upTo(valueMost)},
		{"destination", func(f *Filter) *[]string { return &f.Destinations }, upTo(valueMost)},
		{"callback", func(f *Filter) *[]string { return &f.Callbacks }, oneOf("state of a callback", jobs.CallbackStates())},
	}
}

// times are the keys that take a time, each with its sign.
func (f *Filter) times() map[string]*time.Duration {
	return map[string]*time.Duration{"age>": &f.Older, "age<": &f.Younger, "ended>": &f.EndedBefore, "ended<": &f.EndedWithin}
}

// timeNames are those in the order that they are written in.
func timeNames() []string { return []string{"age>", "age<", "ended>", "ended<"} }

// thereIs says which keys there are.
func thereIs() string {
	var all []string
	for _, key := range keys() {
		all = append(all, key.name+":")
	}
	return "write one of " + strings.Join(append(append(all, labelKey+":KEY="), timeNames()...), ", ")
}

func codes() []string {
	var all []string
	for _, kind := range jobs.Kinds() {
		all = append(all, kind.Code)
	}
	slices.Sort(all)
	return all
}

// OneOf refuses a value that is none of all, and says what there is.
func OneOf(what, value string, all []string) error {
	if !slices.Contains(all, value) {
		return fmt.Errorf("there is no %s %q: give one of %s", what, value, strings.Join(all, ", "))
	}
	return nil
}

func oneOf(what string, all []string) func(string) error {
	return func(value string) error { return OneOf(what, value, all) }
}

func named(value string) error {
	if !names.MatchString(value) {
		return errors.New("a name has letters, digits, '_', '.' and '-', up to 64")
	}
	return nil
}

func upTo(most int) func(string) error {
	return func(value string) error {
		switch {
		case value == "":
			return errors.New("a value is missing")
		case strings.ContainsFunc(value, unicode.IsControl):
			return errors.New("the value holds a control character")
		case utf8.RuneCountInString(value) > most:
			return fmt.Errorf("the value is longer than %d characters", most)
		}
		return nil
	}
}
