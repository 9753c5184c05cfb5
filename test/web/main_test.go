package web

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"weir/internal/devstack"
	"weir/secret"
	"weir/web/login"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(suite{m}) }

// users are who may use the pages here.
type users struct {
	setting          string
	operator, viewer secret.Secret
}

const operatorName, viewerName = "olga", "vera"

func makeUsers() (u users, err error) {
	operator, first, err := login.Make(operatorName, login.Operator)
	if err != nil {
		return u, err
	}
	viewer, second, err := login.Make(viewerName, login.Viewer)
	return users{first + "," + second, operator, viewer}, err
}

// system is what all tests share: they go one after the other.
type system struct {
	*devstack.Stack
	users
}

var shared = sync.OnceValues(func() (*system, error) {
	cfg, err := devstack.FromEnvironment(os.Getenv)
	if err != nil {
		return nil, err
	}
	s := &system{}
	if s.users, err = makeUsers(); err != nil {
		return nil, err
	}
	cfg.Settings = map[string]string{"WEIR_SOURCE_HTTP": "true", "WEIR_WEB_USERS": s.setting}
	s.Stack, err = devstack.Start(context.Background(), cfg)
	return s, err
})

type suite struct{ *testing.M }

// Run implements goleak.TestingM.
func (s suite) Run() int {
	stack, err := shared()
	if err != nil {
		return complain(err)
	}
	code := s.M.Run()
	return max(code, complain(stack.Close()))
}

func complain(err error) (code int) {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "web:", err)
	return 1
}
