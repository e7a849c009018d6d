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
const headTokens = 192

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
			work := 2e-9 * float64(t) * float64(s.in()) * float64(s.out())
			pair := newPair(t, s.in(), s.out(), b.session.base.Model.Precision())
			var backward []float64
			forward, err := b.repeat(ctx, share, func() error { return pair.run(pair.x, pair.y, kernels.WeightsT(s.next())) })
			if err == nil {
				backward, err = b.repeat(ctx, share, func() error { return pair.run(pair.dy, pair.dx, kernels.Weights(s.next())) })
			}
			pair.arena.Close()
			if err != nil {
				return nil, err
			}
			p.Forward, p.Backward = work/forward[0], work/backward[0]
			out = append(out, p)
		}
	}
	return out, nil
}

// pair is a linear layer's input and output, and their gradients, as training has them.
type pair struct {
	arena        *kernels.Arena
	x, y, dx, dy kernels.Act
	product      kernels.Product
}

func newPair(t, in, out int, prec kernels.Precision) *pair {
	a := kernels.NewArena()
	p := &pair{arena: a, x: a.Act(t, in, prec), y: a.Act(t, out, prec), dx: a.Act(t, in, prec), dy: a.Act(t, out, prec)}
	kernels.Rounded(p.x, noise(t*in))
	kernels.Rounded(p.dy, noise(t*out))
	return p
}

// run multiplies from [T,k] by b and writes to.
func (p *pair) run(from, to kernels.Act, b kernels.Operand) error {
	p.product.Reset(from.T, to.F, from.Prec)
	p.product.Add(kernels.Acts(from), b, false)
	p.product.Sink = kernels.Sink{Kind: kernels.ToAct, Out: to}
	p.product.Run()
	return nil
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
