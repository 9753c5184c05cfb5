package config

import (
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"

	"weir/secret"
)

// Origin says where a value comes from.
type Origin string

// The origins, each wins over those before it.
const (
	FromDefault     Origin = "default"
	FromFile        Origin = "file"
	FromEnvironment Origin = "environment"
	// FromFlag is --config's.
	FromFlag Origin = "flag"
)

// Given are settings as they were given, not yet checked.
type Given struct {
	// File is where those of the file stand; empty: there is none.
	File        string
	file        map[string]string
	environment map[string]string
}

// Value is one setting with where it comes from, fit to be shown.
type Value struct {
	Setting

	// Shown is the value without secrets.
	Shown  string
	Origin Origin
	// Shadowed: the file says something else, which the environment hides.
	Shadowed bool
}

// Read takes the settings of environ (as os.Environ gives it) and those of a file, the
// one of WEIR_CONFIG_FILE where file is empty; the environment wins. The file may hold
// settings of Weir alone, as nothing else would read what it says.
func Read(environ []string, file string) (*Given, error) {
	g := &Given{File: file, environment: env.ToMap(environ)}
	if g.File == "" {
		g.File = g.environment[FileVariable]
	}
	if g.File == "" {
		return g, nil
	}
	var err error
	if g.file, err = readFile(g.File); err != nil {
		return nil, err
	}
	for _, name := range sorted(g.file) {
		switch {
		case name == FileVariable:
			return nil, fmt.Errorf("%s: %s can't stand in the file itself: give it by the environment, or use --config", g.File, name)
		case !strings.HasPrefix(name, prefix):
			return nil, fmt.Errorf("%s: %s is no setting of Weir: what is for other libraries belongs into the environment (systemctl edit weir-daemon, Environment=)", g.File, name)
		case foreigner(name):
			return nil, fmt.Errorf("%s: %s is for tests and the demo: give it by the environment", g.File, name)
		}
	}
	if problems := unknown(g.file); len(problems) > 0 {
		return nil, fmt.Errorf("%s: %w", g.File, problems[0])
	}
	return g, nil
}

// Lookup is a value as it was given: "" where it was not.
func (g *Given) Lookup(name string) string {
	value, _ := g.lookup(name)
	return value
}

func (g *Given) lookup(name string) (value string, from Origin) {
	if value, ok := g.environment[name]; ok {
		return value, FromEnvironment
	}
	if value, ok := g.file[name]; ok {
		return value, FromFile
	}
	return "", FromDefault
}

// merged is what the settings are read from.
func (g *Given) merged() map[string]string {
	vars := map[string]string{}
	maps.Copy(vars, g.file)
	maps.Copy(vars, g.environment)
	return vars
}

// Values lists every setting with where it comes from, in the order of [Settings].
func (g *Given) Values() []Value {
	var values []Value
	for _, setting := range Settings() {
		text, from := g.lookup(setting.Name)
		if setting.Name == FileVariable && g.File != "" && text != g.File {
			text, from = g.File, FromFlag
		}
		if from == FromDefault && !setting.Required {
			text = setting.Default
		}
		inFile, there := g.file[setting.Name]
		values = append(values, Value{
			Setting: setting, Shown: shown(setting, text), Origin: from,
			Shadowed: from == FromEnvironment && there && inFile != text,
		})
	}
	return values
}

// shown is a value without what nobody else should see.
func shown(setting Setting, text string) string {
	switch {
	case text == "":
		return ""
	case setting.Name == "WEIR_DATABASE_URL":
		// Which database it is, is the first thing that is asked.
		u, err := url.Parse(text)
		if err != nil || u.Host == "" {
			return secret.Redacted
		}
		where := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
		if u.User.Username() != "" {
			where.User = url.User(u.User.Username())
		}
		return where.String()
	case setting.Secret:
		return secret.Redacted
	case !strings.Contains(text, "@"):
		return text
	}
	parts := strings.Split(text, ",")
	for i, part := range parts {
		u, err := url.Parse(strings.TrimSpace(part))
		if err != nil {
			parts[i] = secret.Redacted
		} else if u.User != nil {
			parts[i] = u.Redacted()
		}
	}
	return strings.Join(parts, ",")
}

// Changed lists the settings in which two differ, in the order of [Settings].
func Changed(from, to *Config) []Setting {
	var changed []Setting
	a, b := reflect.ValueOf(*from), reflect.ValueOf(*to)
	fields := reflect.VisibleFields(reflect.TypeFor[Config]())
	for i, setting := range Settings() {
		if !reflect.DeepEqual(a.FieldByIndex(fields[i].Index).Interface(), b.FieldByIndex(fields[i].Index).Interface()) {
			changed = append(changed, setting)
		}
	}
	return changed
}

func sorted(vars map[string]string) []string { return slices.Sorted(maps.Keys(vars)) }
