package jieba

import (
	_ "embed"
	"encoding/binary"
	"math"
	"sync"
)

//go:embed model.bin
var packed string

// The characters that the hidden Markov model knows.
const (
	firstHan = 0x4E00
	lastHan  = 0x9FD5
)

// The states of a character: it begins a word, is inside of one, ends one, or is one.
const (
	begin = iota
	middle
	end
	single
	states
)

// model is what model.bin holds, unpacked: about 5 MB.
type model struct {
	// weights are log probabilities of words, the first that of a character that is no word.
	weights []float64
	// The trie: the children of node n are first[n] to first[n+1]-1, sorted by char, and its word has weight[n], 0 if there is none.
	first  []uint32
	char   []uint16
	weight []uint16
	// roots are the nodes of a first character, 0 if there is none.
	roots [1 << 16]uint32

	start [states]float64
	trans [states][states]float64 // from, to
	// values are log probabilities of emission, and emit are those of a character from firstHan in each state.
	values []float64
	emit   [][states]uint16
}

// load unpacks the model when it is needed first.
var load = sync.OnceValue(unpack)

func unpack() *model {
	r := &reader{packed}
	m := &model{}
	m.trie(r)
	for s := range states {
		m.start[s] = r.float()
	}
	for from := range states {
		for to := range states {
			m.trans[from][to] = r.float()
		}
	}
	m.values = r.floats()
	m.emit = make([][states]uint16, r.uint())
	for i := range m.emit {
		for s := range states {
			m.emit[i][s] = uint16(r.uint())
		}
	}
	return m
}

func (m *model) trie(r *reader) {
	m.weights = r.floats()
	n := r.uint()
	m.first, m.char, m.weight = make([]uint32, n+1), make([]uint16, n), make([]uint16, n)
	m.first[0] = 1
	for i := range n {
		m.first[i+1] = m.first[i] + uint32(r.uint())
	}
	for i := range n {
		before := 0
		for k := m.first[i]; k < m.first[i+1]; k++ {
			before += r.uint()
			m.char[k] = uint16(before)
		}
	}
	for i := 1; i < n; i++ {
		m.weight[i] = uint16(r.uint())
	}
	for k := m.first[0]; k < m.first[1]; k++ {
		m.roots[m.char[k]] = k
	}
}

// child is the node of a word's beginning with c added to it, 0 if no word begins so. Node 0 stands for the empty word.
func (m *model) child(node uint32, c rune) uint32 {
	if c > math.MaxUint16 {
		return 0
	}
	if node == 0 {
		return m.roots[c]
	}
	lo, hi := m.first[node], m.first[node+1]
	for hi-lo > 8 {
		if mid := (lo + hi) / 2; rune(m.char[mid]) <= c {
			lo = mid
		} else {
			hi = mid
		}
	}
	for ; lo < hi; lo++ {
		if rune(m.char[lo]) == c {
			return lo
		}
	}
	return 0
}

// isWord reports whether the dictionary has the word.
func (m *model) isWord(word []rune) bool {
	node := uint32(0)
	for _, c := range word {
		if node = m.child(node, c); node == 0 {
			return false
		}
	}
	return m.weight[node] != 0
}

// reader takes numbers off the front of packed data.
type reader struct{ rest string }

func (r *reader) uint() int {
	v := 0
	for shift := 0; ; shift += 7 {
		b := r.rest[0]
		r.rest = r.rest[1:]
		v |= int(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
}

func (r *reader) float() float64 {
	b := []byte(r.rest[:8])
	r.rest = r.rest[8:]
	return math.Float64frombits(binary.LittleEndian.Uint64(b))
}

func (r *reader) floats() []float64 {
	out := make([]float64, r.uint())
	for i := range out {
		out[i] = r.float()
	}
	return out
}
