package jieba

// cell is the best way to a character's state: its log probability, and the state of the character before.
type cell struct {
	score float64
	from  uint8
}

// before are the states that may precede each state. Of two that are as probable the first is taken, as jieba does, which
// compares the states' letters, B M E S, next.
var before = [states][2]uint8{
	begin:  {single, end},
	middle: {middle, begin},
	end:    {middle, begin},
	single: {single, end},
}

// cutHan appends the words of the characters from lo to hi-1, all Han, by the Viterbi algorithm.
func (c *Cutter) cutHan(words []string, text string, lo, hi int) []string {
	c.findStates(c.chars[lo:hi])
	at := lo // where the next word begins
	for i, s := range c.path {
		if s == end || s == single {
			words = append(words, c.word(text, at, lo+i+1))
			at = lo + i + 1
		}
	}
	return words
}

// findStates fills path with the most probable states of the characters.
func (c *Cutter) findStates(chars []rune) {
	m, n := c.m, len(chars)
	if cap(c.viterbi) < n {
		c.viterbi, c.path = make([][states]cell, 2*n), make([]uint8, 2*n)
	}
	c.viterbi, c.path = c.viterbi[:n], c.path[:n]
	for s := range states {
		c.viterbi[0][s] = cell{score: m.start[s] + m.emission(chars[0], s)}
	}
	for i := 1; i < n; i++ {
		for s := range states {
			e := m.emission(chars[i], s)
			a, b := before[s][0], before[s][1]
			best := cell{c.viterbi[i-1][a].score + m.trans[a][s] + e, a}
			if score := c.viterbi[i-1][b].score + m.trans[b][s] + e; score > best.score {
				best = cell{score, b}
			}
			c.viterbi[i][s] = best
		}
	}
	state := uint8(single)
	if c.viterbi[n-1][end].score > c.viterbi[n-1][single].score {
		state = end
	}
	for i := n - 1; i >= 0; i-- {
		c.path[i] = state
		state = c.viterbi[i][state].from
	}
}

func (m *model) emission(c rune, state int) float64 { return m.values[m.emit[c-firstHan][state]] }
