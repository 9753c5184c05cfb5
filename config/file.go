package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	// FileVariable names the file of settings; --config wins over it.
	FileVariable = prefix + "CONFIG_FILE"
	// DefaultFile is the package's. Only weir-admin looks for it unasked, and only where
	// nothing else names a database.
	DefaultFile = "/etc/weir/weir.env"
	// maxFile is far above all settings: more is another file.
	maxFile = 1 << 20
	// othersRead and othersWrite are bits of a file's mode. Its group may be trusted with it.
	othersRead, othersWrite = 0o004, 0o002
)

var namePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// readFile reads a file of settings. No error repeats a value.
func readFile(path string) (map[string]string, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("read the settings: %w: run it as root, or as a member of the file's group", err)
	}
	if err != nil {
		return nil, fmt.Errorf("read the settings: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read the settings: %w", err)
	}
	if info.IsDir() {
		return nil, fmt.Errorf("read the settings: %s is a folder: name the file", path)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the settings: %w", err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("read the settings: %s is larger than %d bytes: is it another file?", path, maxFile)
	}
	values, err := ParseFile(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s, %w", path, err)
	}
	return values, guarded(path, info.Mode(), values)
}

// guarded refuses a file that others may write, or read although it holds a secret.
func guarded(path string, mode fs.FileMode, values map[string]string) error {
	if mode.Perm()&othersWrite != 0 {
		return fmt.Errorf("%s may be written by everybody (%04o): chmod 640 %[1]s", path, mode.Perm())
	}
	if mode.Perm()&othersRead == 0 {
		return nil
	}
	for _, setting := range Settings() {
		if setting.Secret && values[setting.Name] != "" {
			return fmt.Errorf("%s holds %s and may be read by everybody (%04o): chmod 640 %[1]s, and give it to the daemon's group (chgrp weir %[1]s)",
				path, setting.Name, mode.Perm())
		}
	}
	return nil
}

// ParseFile reads lines KEY=VALUE in the form of systemd's EnvironmentFile: # and ;
// begin comments, a value may stand in single or double quotes and reach over lines in
// them, outside of single quotes a backslash takes the next character as it is (in double
// quotes only " \ ` and $), and one at a line's end joins the next line. What systemd
// would pass over in silence, a line without = or a name that is none, is refused.
// The error names the line and never repeats a value.
func ParseFile(text string) (map[string]string, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("line 1: the file is not UTF-8")
	}
	p := &parser{rest: strings.ReplaceAll(text, "\r\n", "\n"), line: 1}
	values := map[string]string{}
	for p.more() {
		at := p.line
		name, found := p.name()
		if !found {
			return nil, fmt.Errorf("line %d: write NAME=VALUE, or begin a comment with #", at)
		}
		if !namePattern.MatchString(name) {
			return nil, fmt.Errorf("line %d: a name is made of letters, digits and _, as WEIR_HOST_SLOTS (no `export`, no space before =)", at)
		}
		value, err := p.value()
		if err != nil {
			return nil, fmt.Errorf("line %d: %s: %w", at, name, err)
		}
		if _, twice := values[name]; twice {
			return nil, fmt.Errorf("line %d: %s is there a second time: keep one of them", at, name)
		}
		values[name] = value
	}
	return values, nil
}

type parser struct {
	rest string
	line int
}

const blank = " \t\r"

// more passes over empty lines and comments; a comment goes on behind a backslash.
func (p *parser) more() bool {
	for {
		p.rest = strings.TrimLeft(p.rest, blank)
		switch {
		case p.rest == "":
			return false
		case p.rest[0] == '\n':
			p.next()
		case p.rest[0] == '#', p.rest[0] == ';':
			for p.rest != "" && p.rest[0] != '\n' {
				if p.next() == '\\' && p.rest != "" {
					p.next()
				}
			}
		default:
			return true
		}
	}
}

// next takes one byte.
func (p *parser) next() byte {
	c := p.rest[0]
	p.rest = p.rest[1:]
	if c == '\n' {
		p.line++
	}
	return c
}

// name takes what stands before = in this line.
func (p *parser) name() (name string, found bool) {
	line, _, _ := strings.Cut(p.rest, "\n")
	name, _, found = strings.Cut(line, "=")
	if found {
		p.rest = p.rest[len(name)+1:]
	}
	return name, found
}

var (
	errOpenQuote = errors.New("its quotes are not closed")
	errBehind    = errors.New("there is more behind its closing quotes: put all of the value between them")
	errNUL       = errors.New("it holds a NUL byte")
)

// value takes the rest of the line, and the lines that belong to it.
func (p *parser) value() (value string, err error) {
	p.rest = strings.TrimLeft(p.rest, blank)
	if p.rest != "" && (p.rest[0] == '\'' || p.rest[0] == '"') {
		value, err = p.quoted(p.next())
	} else {
		value = p.plain()
	}
	if err == nil && strings.ContainsRune(value, 0) {
		err = errNUL
	}
	return value, err
}

// plain takes an unquoted value. Blanks at its end go, unless a backslash keeps them.
func (p *parser) plain() string {
	var b strings.Builder
	kept := 0
	for p.rest != "" {
		switch c := p.next(); {
		case c == '\n':
			return b.String()[:kept]
		case c == '\\' && p.rest != "":
			if c = p.next(); c != '\n' {
				b.WriteByte(c)
				kept = b.Len()
			}
		case c == '\\': // nothing is behind it
		default:
			b.WriteByte(c)
			if !strings.ContainsRune(blank, rune(c)) {
				kept = b.Len()
			}
		}
	}
	return b.String()[:kept]
}

// quoted takes a value to its closing quote, and the rest of the line.
func (p *parser) quoted(quote byte) (string, error) {
	var b strings.Builder
	for {
		if p.rest == "" {
			return "", errOpenQuote
		}
		c := p.next()
		if c == quote {
			break
		}
		if c == '\\' && quote == '"' && p.rest != "" {
			switch escaped := p.next(); escaped {
			case '"', '\\', '`', '$':
				c = escaped
			case '\n':
				continue
			default:
				b.WriteByte(c)
				c = escaped
			}
		}
		b.WriteByte(c)
	}
	behind, _, _ := strings.Cut(p.rest, "\n")
	if strings.Trim(behind, blank) != "" {
		return "", errBehind
	}
	p.rest = p.rest[len(behind):]
	return b.String(), nil
}
