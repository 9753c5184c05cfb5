package mist

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// Under the name of one of Mist's programs this binary stands in for it.
	if stand, ok := stands[filepath.Base(os.Args[0])]; ok {
		os.Exit(stand())
	}
	goleak.VerifyTestMain(m)
}
