// Package stash keeps values for reuse.
package stash

import (
	"sync"
	"sync/atomic"
)

// Stash keeps values that were put back, for as long as the program runs. Unlike a sync.Pool's they outlive
// collections: buffers that every step needs are allocated once. It grows to what was in use at one time. The zero
// value is ready; it is safe for concurrent use.
type Stash[T any] struct {
	slots [8]atomic.Pointer[T] // as many as workers use at one time, as a rule
	mu    sync.Mutex
	more  []*T
}

// Get returns a value that was put back, as it was then, or a new zero one.
func (s *Stash[T]) Get() *T {
	for i := range s.slots {
		if s.slots[i].Load() != nil {
			if v := s.slots[i].Swap(nil); v != nil {
				return v
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.more); n > 0 {
		v := s.more[n-1]
		s.more = s.more[:n-1]
		return v
	}
	return new(T)
}

// Put gives v back.
func (s *Stash[T]) Put(v *T) {
	for i := range s.slots {
		if s.slots[i].Load() == nil && s.slots[i].CompareAndSwap(nil, v) {
			return
		}
	}
	s.mu.Lock()
	s.more = append(s.more, v)
	s.mu.Unlock()
}
