package dataset

// Set is samples in a fixed order, which need not be in memory all at once.
type Set interface {
	Len() int
	// Key is Sample.Key of sample i.
	Key(i int) uint64
	// At is sample i. Its slices are read-only.
	At(i int) Sample
}

// List is a Set in memory.
type List []Sample

// Len is the number of samples.
func (l List) Len() int { return len(l) }

// Key is Sample.Key of sample i.
func (l List) Key(i int) uint64 { return l[i].Key }

// At is sample i.
func (l List) At(i int) Sample { return l[i] }

// All are the samples of a set, in its order.
func All(s Set) []Sample {
	if l, ok := s.(List); ok {
		return l
	}
	out := make([]Sample, s.Len())
	for i := range out {
		out[i] = s.At(i)
	}
	return out
}
