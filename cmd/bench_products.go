package cmd

import (
	"context"
	"strings"

	"ft/internal/kernels"
	"ft/internal/keyed"
	"ft/nn"
)

// benchProduct is the rate of the products with weights of one shape: y = x·Wᵀ forward, dx = dy·W backward, in 10⁹ operations (two for each
// multiplication with its addition) per second.
type benchProduct struct {
	Layers   []string `json:"layers"` // the names of those with such weights
	Out      int      `json:"out"`
	In       int      `json:"in"`
	Type     string   `json:"type"`
	Tokens   int      `json:"tokens"` // rows of x
	Forward  float64  `json:"forward_gflops"`
	Backward float64  `json:"backward_gflops"`
}

// benchTokens are the passes that are measured.
var benchTokens = []int{512, 2048}

// headTokens is how many rows the output head computes at a time.
const headTokens = 128

// products measures every shape of the base's linear layers. One shape's weights take turns, as in a model: they come from memory and
// not from the cache.
func (b *bench) products(ctx context.Context) ([]benchProduct, error) {
	var shapes []*shape
	for _, l := range b.session.base.Model.Linears() {
		shapes = addShape(shapes, l)
	}
	var out []benchProduct
	share := 0.2 / float64(2*len(benchTokens)*len(shapes)) // of the time, for one rate
	for _, t := range benchTokens {
		for _, s := range shapes {
			if s.head {
				if t != benchTokens[0] {
					continue
				}
				t = headTokens
			}
			p := benchProduct{Layers: s.names, Out: s.out(), In: s.in(), Type: s.weights[0].Type.String(), Tokens: t}
			x, y := noise(t*s.in()), noise(t*s.out())
			work := 2e-9 * float64(t) * float64(s.in()) * float64(s.out())
			forward, err := b.repeat(ctx, share, func() error { kernels.MulT(y, x, s.next(), t, false); return nil })
			if err != nil {
				return nil, err
			}
			copy(y, noise(len(y))) // gradients of small values, not what the product left
			backward, err := b.repeat(ctx, share, func() error { kernels.Mul(x, y, s.next(), t, false); return nil })
			if err != nil {
				return nil, err
			}
			p.Forward, p.Backward = work/forward[0], work/backward[0]
			out = append(out, p)
		}
	}
	return out, nil
}

// shape is the layers whose weights are of one size and type.
type shape struct {
	names   []string
	head    bool
	weights []*kernels.Matrix
	at      int
}

func (s *shape) out() int { return s.weights[0].Rows }
func (s *shape) in() int  { return s.weights[0].Cols }

func (s *shape) next() *kernels.Matrix {
	s.at++
	return s.weights[s.at%len(s.weights)]
}

func addShape(shapes []*shape, l *nn.Linear) []*shape {
	w := l.Weight()
	name := l.Name[strings.LastIndexByte(l.Name, '.')+1:]
	for _, s := range shapes {
		if s.head == l.Head && s.out() == w.Rows && s.in() == w.Cols && s.weights[0].Type == w.Type {
			s.weights = append(s.weights, w)
			for _, n := range s.names {
				if n == name {
					return shapes
				}
			}
			s.names = append(s.names, name)
			return shapes
		}
	}
	return append(shapes, &shape{names: []string{name}, head: l.Head, weights: []*kernels.Matrix{w}})
}

// noise is n values evenly spread in [-1, 1).
func noise(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(int32(keyed.Mix(uint64(i))>>32)) / (1 << 31)
	}
	return v
}
