package mistsim

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"time"
)

// maxLogins is how many refused requests a connection may make.
const maxLogins = 4

// login is the state of one connection; Mist authorizes connections, not requests.
type login struct {
	authorized bool
	refused    int
}

type loginKey struct{}

func withLogin(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, loginKey{}, &login{})
}

// authorize fills in reply["authorize"] and says whether commands may run.
func (s *Server) authorize(r *http.Request, request, reply object) bool {
	state, _ := r.Context().Value(loginKey{}).(*login)
	if state == nil {
		state = &login{}
	}
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	local := !s.cfg.NoLocalAuth && isLocal(host) && r.Header.Get("X-Real-IP") == "" &&
		(!s.upstream() || r.Header.Get("X-Forwarded-For") == "")
	state.authorized = state.authorized || local
	if state.authorized && len(s.cfg.Accounts) > 0 {
		answer := object{"status": "OK"}
		if local {
			answer["local"] = true
		}
		reply["authorize"] = answer
		return true
	}
	answer := object{}
	reply["authorize"] = answer
	challenge := challengeFor(time.Now(), host)
	given, _ := request["authorize"].(object)
	user, _ := given["username"].(string)
	if stored, ok := s.cfg.Accounts[user]; ok && given["password"] == hash(stored+challenge) {
		answer["status"] = "OK"
		state.authorized = true
		return true
	}
	if len(s.cfg.Accounts) == 0 {
		answer["status"] = "NOACC"
		return state.authorized
	}
	answer["status"], answer["challenge"] = "CHALL", challenge
	state.refused++
	return false
}

// challengeFor is constant for a day and a client: the day of the month, the
// month from 0, the year, and the address.
func challengeFor(now time.Time, host string) string {
	return hash(fmt.Sprintf("%d-%d-%d%s", now.Day(), int(now.Month())-1, now.Year(), host))
}

// hash is MD5 because Mist's challenge is.
func hash(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

func isLocal(host string) bool {
	ip := net.ParseIP(host)
	if ip == nil {
		return false
	}
	if ip.IsLoopback() {
		return true
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range own {
		if n, ok := a.(*net.IPNet); ok && n.IP.Equal(ip) {
			return true
		}
	}
	return false
}
