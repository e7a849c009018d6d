package tokenizer

import (
	"container/heap"
	"slices"
	"strings"
	"unicode/utf8"
)

// spSymbol is a part of a text between its neighbours; -1 is none. Symbols that were merged into another are empty.
type spSymbol struct {
	text       string
	prev, next int
	fixed      bool
}

// spPair is a merge that is possible.
type spPair struct {
	left, right, size int
	score             float32
}

// spQueue has the pair with the highest score first, of equal ones the leftmost.
type spQueue []spPair

func (q spQueue) Len() int      { return len(q) }
func (q spQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q spQueue) Less(i, j int) bool {
	return q[i].score > q[j].score || q[i].score == q[j].score && q[i].left < q[j].left
}
func (q *spQueue) Push(x any) { *q = append(*q, x.(spPair)) }
func (q *spQueue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// symbols are a text's characters and user-defined pieces.
func (s *SentencePiece) symbols(text string) []spSymbol {
	var out []spSymbol
	for text != "" {
		sym := spSymbol{prev: len(out) - 1, next: len(out) + 1}
		if i := slices.IndexFunc(s.fixed, func(f string) bool { return strings.HasPrefix(text, f) }); i >= 0 {
			sym.text, sym.fixed = s.fixed[i], true
		} else {
			_, n := utf8.DecodeRuneInString(text)
			sym.text = text[:n]
		}
		if text = text[len(sym.text):]; text == "" {
			sym.next = -1
		}
		out = append(out, sym)
	}
	return out
}

// cutBPE merges neighbours, those with the highest score first. Pieces that the model keeps only as a way to longer ones are
// taken apart again.
func (s *SentencePiece) cutBPE(text string) []string {
	symbols := s.symbols(text)
	if len(symbols) == 0 {
		return nil
	}
	var queue spQueue
	parts := map[string][2]string{} // of unused pieces
	offer := func(left, right int) {
		if left < 0 || right < 0 || symbols[left].fixed || symbols[right].fixed {
			return
		}
		whole := symbols[left].text + symbols[right].text
		if p, ok := s.pieces[whole]; ok {
			heap.Push(&queue, spPair{left, right, len(whole), p.score})
			if p.kind == spUnused {
				parts[whole] = [2]string{symbols[left].text, symbols[right].text}
			}
		}
	}
	for i := 1; i < len(symbols); i++ {
		offer(i-1, i)
	}
	for len(queue) > 0 {
		top := heap.Pop(&queue).(spPair)
		l, r := &symbols[top.left], &symbols[top.right]
		if l.text == "" || r.text == "" || len(l.text)+len(r.text) != top.size {
			continue // one of them has become part of another piece
		}
		l.text += r.text
		if l.next = r.next; r.next >= 0 {
			symbols[r.next].prev = top.left
		}
		r.text = ""
		offer(l.prev, top.left)
		offer(top.left, l.next)
	}
	var out []string
	var put func(piece string)
	put = func(piece string) {
		if p, unused := parts[piece]; unused && s.pieces[piece].kind == spUnused {
			put(p[0])
			put(p[1])
			return
		}
		out = append(out, piece)
	}
	for i := 0; i >= 0; i = symbols[i].next {
		put(symbols[i].text)
	}
	return out
}
