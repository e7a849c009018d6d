package prompttuning_test

import (
	"testing"

	"ft/internal/testkit/backend"
)

func TestBackend(t *testing.T) { backend.Check(t) }
