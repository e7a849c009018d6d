// Package backend runs a package's tests on the kernels that FT_CPU names. Only tests import it.
package backend

import (
	"os"
	"testing"

	"ft/internal/kernels"
)

var chosen = choose()

// choose selects the backend before any test runs.
func choose() error {
	name := os.Getenv("FT_CPU")
	if name == "" {
		return nil
	}
	return kernels.Use(name)
}

// Each runs f on every backend of this machine or, where FT_CPU names one, on that.
func Each(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	was, names := kernels.Backend(), kernels.Backends()
	if os.Getenv("FT_CPU") != "" {
		names = []string{was}
	}
	defer func() {
		if err := kernels.Use(was); err != nil {
			t.Error(err)
		}
	}()
	for _, name := range names {
		if err := kernels.Use(name); err != nil {
			t.Fatal(err)
		}
		t.Run(name, f)
	}
}

// Check fails the test unless the kernels that FT_CPU names are the ones in use.
func Check(t *testing.T) {
	t.Helper()
	if chosen != nil {
		t.Fatal(chosen)
	}
	if name := os.Getenv("FT_CPU"); name != "" && kernels.Backend() != name {
		t.Fatalf("FT_CPU is %s, but the kernels in use are %s", name, kernels.Backend())
	}
}
