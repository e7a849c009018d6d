package stash

import (
	"runtime"
	"sync"
	"testing"
)

func TestStash(t *testing.T) {
	var s Stash[[]int]
	a, b := s.Get(), s.Get()
	if a == b {
		t.Fatal("one value twice")
	}
	*a = append(*a, 1)
	s.Put(a)
	runtime.GC()
	runtime.GC() // a sync.Pool would be empty now
	if c := s.Get(); c != a || len(*c) != 1 {
		t.Errorf("another value than the one put back: %v", *c)
	}
	if n := testing.AllocsPerRun(100, func() { s.Put(s.Get()) }); n > 0 {
		t.Errorf("%g allocations", n)
	}
}

// TestStash_shared: nobody else has a value while it is out.
func TestStash_shared(t *testing.T) {
	var s Stash[int]
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				v := s.Get()
				*v++
				s.Put(v)
			}
		})
	}
	all.Wait()
	sum, n := 0, 0
	for ; sum < 8000 && n < 100; n++ {
		sum += *s.Get()
	}
	if sum != 8000 || n > 8 {
		t.Errorf("%d counted in %d values", sum, n)
	}
}

// TestStash_many: more values than there are slots come back too.
func TestStash_many(t *testing.T) {
	var s Stash[int]
	out := map[*int]bool{}
	for range 20 {
		out[s.Get()] = true
	}
	for v := range out {
		s.Put(v)
	}
	for range 20 {
		v := s.Get()
		if !out[v] {
			t.Fatal("a value that was never put back, or one twice")
		}
		delete(out, v)
	}
}
