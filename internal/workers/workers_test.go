package workers

import (
	"errors"
	"sync/atomic"
	"testing"
)

// TestDo: every task is done once, whatever the grain.
func TestDo(t *testing.T) {
	for _, n := range []int{0, 1, 31, 32, 1000} {
		for _, grain := range []int{1, 7, 32, 5000} {
			times := make([]atomic.Int32, n)
			Each(n, grain, func(i int) { times[i].Add(1) })
			for i := range times {
				if got := times[i].Load(); got != 1 {
					t.Fatalf("%d tasks, %d at a time: task %d was done %d times", n, grain, i, got)
				}
			}
		}
	}
}

// TestDo_error: an error is returned, and its worker goes no further.
func TestDo_error(t *testing.T) {
	bad := errors.New("bad")
	var behind atomic.Bool
	err := Do(10, 10, func() func(int) error {
		return func(i int) error {
			if i == 3 {
				return bad
			}
			if i > 3 {
				behind.Store(true)
			}
			return nil
		}
	})
	if err != bad || behind.Load() {
		t.Errorf("error %v, went on %v", err, behind.Load())
	}
}
