// Package stash keeps values for reuse.
package stash

import "sync"

// Stash keeps values that were put back, for as long as the program runs. Unlike a sync.Pool's they outlive
// collections: buffers that every step needs are allocated once. It grows to what was in use at one time. The zero
// value is ready; it is safe for concurrent use.
type Stash[T any] struct {
	mu   sync.Mutex
	free []*T
}

// Get returns a value that was put back, as it was then, or a new zero one.
func (s *Stash[T]) Get() *T {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		v := s.free[n-1]
		s.free = s.free[:n-1]
		return v
	}
	return new(T)
}

// Put gives v back.
func (s *Stash[T]) Put(v *T) {
	s.mu.Lock()
	s.free = append(s.free, v)
	s.mu.Unlock()
}
