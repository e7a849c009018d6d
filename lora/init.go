package lora

import (
	"math"

	"ft/internal/keyed"
)

// draw makes random numbers that depend on the seed and a tensor's name alone, not on what else is adapted. They are not PyTorch's.
type draw uint64

func newDraw(seed uint64, tensor string) *draw {
	d := draw(keyed.Mix(keyed.Mix(seed+keyed.Increment) ^ keyed.Name(tensor)))
	return &d
}

// unit is uniform in (0, 1).
func (d *draw) unit() float64 {
	*d += keyed.Increment
	return (float64(keyed.Mix(uint64(*d))>>11) + 0.5) / (1 << 53)
}

// normal has mean 0 and deviation 1 (Box and Muller 1958).
func (d *draw) normal() float64 {
	return math.Sqrt(-2*math.Log(d.unit())) * math.Cos(2*math.Pi*d.unit())
}

// uniform fills v from U(-1/√in, 1/√in), PyTorch's start of a layer with in inputs: Kaiming-uniform with a = √5 (He et al. 2015,
// arXiv:1502.01852).
func (d *draw) uniform(v []float32, in int) {
	bound := 1 / math.Sqrt(float64(in))
	for i := range v {
		v[i] = float32((2*d.unit() - 1) * bound)
	}
}

func (d *draw) normals(v []float32, deviation float64) {
	for i := range v {
		v[i] = float32(deviation * d.normal())
	}
}

// start gives a pair the values that PEFT's init_lora_weights stands for, by the same laws.
func (l *lowRank) start(init string, seed uint64) {
	ofA, ofB := newDraw(seed, l.path()), newDraw(seed, l.b.Name)
	_, in := l.size()
	switch {
	case l.embed != nil:
		// Here it is A that starts at zero.
		ofB.normals(l.b.Data, 1)
		if init == initRandom {
			ofA.normals(l.a.Data, 1)
		}
	case init == initGaussian:
		ofA.normals(l.a.Data, 1/float64(l.rank))
	case init == initOrthogonal:
		l.startOrthogonal(ofA, ofB)
	case init == initRandom:
		ofA.uniform(l.a.Data, in)
		ofB.uniform(l.b.Data, l.rank)
		if l.bias != nil {
			newDraw(seed, l.bias.Name).uniform(l.bias.Data, l.rank)
		}
	default:
		ofA.uniform(l.a.Data, in)
	}
}

// startOrthogonal draws A and B from normal numbers in two subspaces of the rank that are orthogonal to each other, so that B·A is
// zero and both learn from the first step on (PEFT's init_lora_weights "orthogonal").
func (l *lowRank) startOrthogonal(ofA, ofB *draw) {
	out, in := l.size()
	r, half := l.rank, l.rank/2
	q := orthonormal(ofA, r)
	x := make([]float64, half)
	fill := func(d *draw, parity, n int, set func(i, k int, v float64)) {
		for i := range n {
			for h := range x {
				x[h] = d.normal()
			}
			for k := range r {
				sum := 0.0
				for h, v := range x {
					sum += v * q[2*h+parity][k]
				}
				set(i, k, sum/10)
			}
		}
	}
	fill(ofA, 0, in, func(i, k int, v float64) { l.a.Data[k*in+i] = float32(v) })
	fill(ofB, 1, out, func(o, k int, v float64) { l.b.Data[o*r+k] = float32(v) })
}

// orthonormal makes n random directions that are orthogonal to each other, by Gram and Schmidt's process, done twice for accuracy.
func orthonormal(d *draw, n int) [][]float64 {
	q := make([][]float64, n)
	for i := range q {
		v := make([]float64, n)
		for k := range v {
			v[k] = d.normal()
		}
		for range 2 {
			for _, u := range q[:i] {
				dot := 0.0
				for k := range v {
					dot += u[k] * v[k]
				}
				for k := range v {
					v[k] -= dot * u[k]
				}
			}
		}
		norm := 0.0
		for _, x := range v {
			norm += x * x
		}
		for k := range v {
			v[k] /= math.Sqrt(norm)
		}
		q[i] = v
	}
	return q
}
