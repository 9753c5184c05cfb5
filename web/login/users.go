package login

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"weir/secret"
)

// Role is what somebody may do.
type Role string

// The roles. A viewer changes nothing.
const (
	Viewer   Role = "viewer"
	Operator Role = "operator"
)

const (
	// scheme names how tokens are hashed, so that another one may come beside it.
	scheme = "pbkdf2-sha256"
	// rounds: some 0.2 s of one core for each guess, where a person chose a weak token.
	rounds = 600_000
	// leastRounds and mostRounds are what a setting may have.
	leastRounds, mostRounds = 100_000, 10_000_000
	saltBytes, hashBytes    = 16, 32
	// byProxy stands for a hash where only a trusted proxy names the user.
	byProxy = "-"
	// mostUsers is far above a team's.
	mostUsers = 1000
)

var namePattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.@-]{0,63}$`)

// User is somebody who may use the pages.
type User struct {
	Name string
	Role Role
	// Setting is what the whole of its setting hashes to.
	Setting [sha256.Size]byte
}

// May says whether it may change something.
func (u *User) May() bool { return u.Role == Operator }

// entry is a user's setting; no key: a proxy names it.
type entry struct {
	User

	rounds    int
	salt, key []byte
}

// Users are those of WEIR_WEB_USERS.
type Users struct{ byName map[string]entry }

// Make makes a user: the token, which is known to nobody but the caller, and the setting
// that lets it in.
func Make(name string, role Role) (token secret.Secret, setting string, err error) {
	if !namePattern.MatchString(name) {
		return "", "", fmt.Errorf("%q is no user's name: give up to 64 letters, digits, '.', '-', '_', '@'", name)
	}
	if role != Viewer && role != Operator {
		return "", "", fmt.Errorf("%q is no role: give %s or %s", role, Viewer, Operator)
	}
	token = secret.Secret(strings.ToLower(rand.Text()))
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails, see crypto/rand
	key, err := pbkdf2.Key(sha256.New, string(token), salt, rounds, hashBytes)
	if err != nil {
		return "", "", fmt.Errorf("hash the token: %w", err)
	}
	text := base64.RawURLEncoding
	return token, fmt.Sprintf("%s:%s:%s.%d.%s.%s", name, role, scheme, rounds, text.EncodeToString(salt), text.EncodeToString(key)), nil
}

// ParseUsers reads WEIR_WEB_USERS. The error never holds a hash.
func ParseUsers(text string) (*Users, error) {
	u := &Users{byName: map[string]entry{}}
	for i, one := range strings.Split(text, ",") {
		one = strings.TrimSpace(one)
		if one == "" {
			continue
		}
		e, err := parseUser(one)
		if err != nil {
			return nil, fmt.Errorf("WEIR_WEB_USERS: number %d %w", i+1, err)
		}
		if _, twice := u.byName[e.Name]; twice {
			return nil, fmt.Errorf("WEIR_WEB_USERS: %s is there twice", e.Name)
		}
		u.byName[e.Name] = e
	}
	if len(u.byName) == 0 {
		return nil, errors.New("WEIR_WEB_USERS names nobody: `weir-admin web-user NAME --role operator` makes a user")
	}
	if len(u.byName) > mostUsers {
		return nil, fmt.Errorf("WEIR_WEB_USERS names more than %d users", mostUsers)
	}
	return u, nil
}

var errForm = errors.New("is not NAME:ROLE:HASH: `weir-admin web-user NAME --role operator` makes one")

func parseUser(text string) (entry, error) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 || !namePattern.MatchString(parts[0]) {
		return entry{}, errForm
	}
	e := entry{User: User{Name: parts[0], Role: Role(parts[1]), Setting: sha256.Sum256([]byte(text))}}
	if e.Role != Viewer && e.Role != Operator {
		return entry{}, fmt.Errorf("(%s) has the role %q: give %s or %s", e.Name, e.Role, Viewer, Operator)
	}
	if parts[2] == byProxy {
		return e, nil
	}
	hash := strings.Split(parts[2], ".")
	if len(hash) != 4 || hash[0] != scheme {
		return entry{}, fmt.Errorf("(%s): its hash is none of %s: `weir-admin web-user` makes one, - is for those whom a proxy names", e.Name, scheme)
	}
	var errs [3]error
	e.rounds, errs[0] = strconv.Atoi(hash[1])
	e.salt, errs[1] = base64.RawURLEncoding.DecodeString(hash[2])
	e.key, errs[2] = base64.RawURLEncoding.DecodeString(hash[3])
	if errors.Join(errs[:]...) != nil || e.rounds < leastRounds || e.rounds > mostRounds || len(e.salt) < saltBytes || len(e.key) != hashBytes {
		return entry{}, fmt.Errorf("(%s): its hash is broken: `weir-admin web-user` makes one", e.Name)
	}
	return e, nil
}

// Named is a user by its name; nil: there is none.
func (u *Users) Named(name string) *User {
	e, ok := u.byName[name]
	if !ok {
		return nil
	}
	return &e.User
}

// Check is the user of a name and a token; nil: they are not those of one. It takes as long
// for a name that nobody has.
func (u *Users) Check(name string, token secret.Secret) (*User, error) {
	e, known := u.byName[name]
	if !known || e.key == nil {
		e = entry{rounds: rounds, salt: make([]byte, saltBytes), key: nil}
	}
	key, err := pbkdf2.Key(sha256.New, string(token), e.salt, e.rounds, hashBytes)
	if err != nil {
		return nil, fmt.Errorf("hash the token: %w", err)
	}
	if e.key == nil || subtle.ConstantTimeCompare(key, e.key) != 1 {
		return nil, nil
	}
	return &e.User, nil
}
