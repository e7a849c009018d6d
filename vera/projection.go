package vera

import "math"

// mt19937 is the Mersenne Twister of Matsumoto and Nishimura 1998 with its initialisation of 2002 (init_genrand), which is the
// generator of PyTorch on CPUs.
type mt19937 struct {
	state [mtSize]uint32
	next  int // the word of state to use next
}

const (
	mtSize  = 624
	mtShift = 397
)

func newMT19937(seed uint32) *mt19937 {
	g := &mt19937{next: mtSize}
	g.state[0] = seed
	for i := uint32(1); i < mtSize; i++ {
		last := g.state[i-1]
		g.state[i] = 1812433253*(last^last>>30) + i
	}
	return g
}

// twist makes the next words of the state.
func (g *mt19937) twist() {
	for i := range g.state {
		y := g.state[i]&0x80000000 | g.state[(i+1)%mtSize]&0x7fffffff
		v := g.state[(i+mtShift)%mtSize] ^ y>>1
		if y&1 != 0 {
			v ^= 0x9908b0df
		}
		g.state[i] = v
	}
	g.next = 0
}

// word is the next output.
func (g *mt19937) word() uint32 {
	if g.next == mtSize {
		g.twist()
	}
	y := g.state[g.next]
	g.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// projections draws the shared pair of a key as PEFT does: A [rank,in] first, then B [out,rank], row by row, each uniform in
// ±√(6/columns) (He et al. 2015, arXiv:1502.01852). As in PyTorch, only the low 32 bits of the key count.
func projections(key int64, rank, in, out int) (a, b []float32) {
	g := newMT19937(uint32(key))
	return g.uniform(rank, in), g.uniform(out, rank)
}

// uniform draws a matrix.
func (g *mt19937) uniform(rows, columns int) []float32 {
	bound := math.Sqrt(3) * (math.Sqrt2 / math.Sqrt(float64(columns)))
	from, to := float32(-bound), float32(bound)
	width := float64(to - from)
	out := make([]float32, rows*columns)
	for i := range out {
		unit := float32(g.word()&0xffffff) / (1 << 24)
		out[i] = float32(float64(unit)*width + float64(from)) // PyTorch's kernel rounds once, with a fused multiply-add
	}
	return out
}
