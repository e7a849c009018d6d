package dataset

import (
	"crypto/sha256"
	"strings"
)

// Clean returns the rows that have a question and an answer, and of rows that say the same the first. Two
// rows say the same when system message, roles, question and answer are equal in Unicode normal form C with
// runs of white space as one blank. What is left out is counted in report.
func Clean(rows View, report *Report) (View, error) {
	kept := make([]int32, 0, rows.Len())
	seen := make(map[[sha256.Size]byte]bool, rows.Len())
	for i := range rows.Len() {
		r, err := rows.At(i)
		if err != nil {
			return View{}, err
		}
		if !r.asks() {
			report.drop(missingQuestion, r.ID)
			continue
		}
		if strings.TrimSpace(r.Answer) == "" {
			report.drop(missingAnswer, r.ID)
			continue
		}
		key := r.sameness()
		if seen[key] {
			report.drop(duplicate, r.ID)
			continue
		}
		seen[key] = true
		kept = append(kept, int32(i))
	}
	return rows.Pick(kept), nil
}

// asks reports whether any turn but the system message has text.
func (r Row) asks() bool {
	for _, m := range r.turns() {
		if strings.TrimSpace(m.Content) != "" {
			return true
		}
	}
	return false
}

// sameness is equal for rows that say the same.
func (r Row) sameness() [sha256.Size]byte {
	var b []byte
	part := func(s string) { b = append(append(b, s...), 0) }
	for _, m := range r.Messages {
		part(m.Role)
		part(normalise(m.Content))
	}
	part(normalise(r.Answer))
	return sha256.Sum256(b)
}
