package dataset

// Shared counts what the parts have in common, in the order train, val, test.
type Shared struct {
	Rows      [3]int
	Questions [3]int // of a part that differ by more than white space and the form of characters
	// SameQuestion are the rows whose question train has, too, in that sense; SameGroup those whose group train has, too, of rows that
	// have one. Of train they are 0.
	SameQuestion, SameGroup [3]int
}

// Shared goes over all rows.
func (p Parts) Shared() (Shared, error) {
	var s Shared
	questions, groups := map[uint64]uint8{}, map[uint64]bool{} // the parts of a question, as bits; the groups of train
	for i, part := range p.byName() {
		s.Rows[i] = part.Len()
		bit := uint8(1) << i
		for r, err := range part.All() {
			if err != nil {
				return s, err
			}
			q := key(normalise(r.Question()))
			in := questions[q]
			if in&bit == 0 {
				s.Questions[i]++
				questions[q] |= bit
			}
			if i > 0 && in&1 != 0 {
				s.SameQuestion[i]++
			}
			if r.Group == "" {
				continue
			}
			if g := key(r.Group); i == 0 {
				groups[g] = true
			} else if groups[g] {
				s.SameGroup[i]++
			}
		}
	}
	return s, nil
}
