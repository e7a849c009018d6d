// Package suggest finds what a person meant by a word that is not in a list.
package suggest

import "strings"

// Nearest is the candidate that takes the fewest edits to get from word, and "" if none is near: at most one edit, or one in
// three letters. Case does not count, and - is _.
func Nearest(word string, candidates []string) string {
	best, least := "", 1+max(1, len(word)/3)
	plain := strings.ReplaceAll(strings.ToLower(word), "-", "_")
	for _, c := range candidates {
		if d := Edits(plain, strings.ToLower(c)); d < least {
			best, least = c, d
		}
	}
	return best
}

// Edits is the number of insertions, deletions, changes and swaps of neighbouring bytes that turn a into b (optimal
// string alignment).
func Edits(a, b string) int {
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}
