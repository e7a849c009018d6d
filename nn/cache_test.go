package nn

import (
	"slices"
	"testing"

	"ft/internal/kernels"
	"ft/internal/op"
)

// A cache that is cut back and goes on another way changes nothing of one that it shares pages with, and gives its pages back.
func TestCache_truncate(t *testing.T) {
	const width = 4
	pool := NewPool(1, width, kernels.F32)
	rows := func(from float32, n int) op.KV {
		kv := op.KV{K: make([]float32, n*width), V: make([]float32, n*width)}
		for i := range kv.K {
			kv.K[i], kv.V[i] = from+float32(i), -from-float32(i)
		}
		return kv
	}
	arena := kernels.NewArena()
	defer arena.Close()
	extend := func(c *Cache, from float32, n int) op.KV {
		all := c.append(0, rows(from, n), arena)
		c.Advance(n)
		return all
	}
	c := pool.NewCache()
	extend(c, 1, 2*PageRows)
	f := c.Fork() // shares both pages
	for _, n := range []int{PageRows + 5, PageRows, 3} {
		c.Truncate(n)
		all := extend(c, 1000, 2)
		if want := rows(1, n); c.Len() != n+2 || !slices.Equal(all.K[:n*width], want.K) || all.K[n*width] != 1000 {
			t.Errorf("cut to %d: %d rows, row %d begins with %v", n, c.Len(), n, all.K[n*width])
		}
	}
	if all, want := extend(f, 500, 1), rows(1, 2*PageRows); !slices.Equal(all.K[:len(want.K)], want.K) || !slices.Equal(all.V[:len(want.V)], want.V) {
		t.Error("the other cache's rows changed")
	}
	c.Reset()
	f.Reset()
	if pool.Used() != 0 {
		t.Errorf("%d pages are still in use", pool.Used())
	}
}
