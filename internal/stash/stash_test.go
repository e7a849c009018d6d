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
	sum := 0
	for _, v := range s.free {
		sum += *v
	}
	if sum != 8000 || len(s.free) > 8 {
		t.Errorf("%d counted in %d values", sum, len(s.free))
	}
}
