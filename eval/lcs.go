package eval

// lcsLength is the length of the longest common subsequence of a and b.
func lcsLength(a, b []int32) int {
	row := make([]int, len(b)+1)
	for _, x := range a {
		lcsRow(row, x, b, nil)
	}
	return row[len(b)]
}

// lcsRow takes row from the lengths for a prefix of a to those for the prefix with x added. If left is
// not nil, it learns where b's prefix without its last token is better than a's without x.
func lcsRow(row []int, x int32, b []int32, left []bool) {
	diagonal := 0
	for j, y := range b {
		above := row[j+1]
		switch {
		case x == y:
			row[j+1] = diagonal + 1
		case row[j] > above:
			row[j+1] = row[j]
			if left != nil {
				left[j] = true
			}
		}
		diagonal = above
	}
}

// unionLCS marks the tokens of ref that are in its longest common subsequence with at least one of lines. Where
// several subsequences are as long, it takes rouge_score's: found from the end, a token of ref is given up
// before one of the line.
func unionLCS(ref []int32, lines [][]int32) []bool {
	in := make([]bool, len(ref))
	for _, line := range lines {
		markLCS(ref, line, in)
	}
	return in
}

func markLCS(ref, line []int32, in []bool) {
	left := make([]bool, len(ref)*len(line))
	row := make([]int, len(line)+1)
	for i, x := range ref {
		lcsRow(row, x, line, left[i*len(line):(i+1)*len(line)])
	}
	for i, j := len(ref)-1, len(line)-1; i >= 0 && j >= 0; {
		switch {
		case ref[i] == line[j]:
			in[i] = true
			i, j = i-1, j-1
		case left[i*len(line)+j]:
			j--
		default:
			i--
		}
	}
}
