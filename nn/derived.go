package nn

// Derived keeps slots whose values follow from other parameters, such as a factor that is a function of a low-rank pair. The method makes
// what is in those slots as Params of its own, which it does not list among an adapter's.
type Derived interface {
	// Forward computes the slots' Data from the parameters'. It is called at the start of every pass over several tokens, and before
	// a decode step if a parameter may have changed since.
	Forward()
	// Backward adds what follows from the slots' Grad to the gradients of the parameters, and clears the slots'. It is called at the
	// end of every training pass.
	Backward()
}

// Derive adds d to the slots. Derived values are computed in the order of Derive and go backward in the reverse order.
func (s *Stack) Derive(d Derived) {
	s.derived, s.stale = append(s.derived, d), true
}

// derive computes all derived values.
func (s *Stack) derive() {
	for _, d := range s.derived {
		d.Forward()
	}
	s.stale = false
}

// deriveBack takes the gradients of derived values to the parameters, which are then about to change.
func (s *Stack) deriveBack() {
	for i := len(s.derived) - 1; i >= 0; i-- {
		s.derived[i].Backward()
	}
	s.stale = true
}
