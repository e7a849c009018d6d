package nn

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"ft/internal/kernels"
	"ft/internal/op"
	"ft/internal/testkit"
	"ft/internal/testkit/backend"
)

// kind is what a stack has that llama's has not.
type kind struct {
	block func(c *BlockConfig, r random, i int)
	stack func(s *Stack, r random)
}

// plus1 is a norm whose gain is one more than its weight.
func (r random) plus1(name string, n int) *Norm { return NewNormPlus1(name, r.floats(n, 0, 0.1), 1e-5) }

func (r random) norm(name string, n int) *Norm { return NewNorm(name, r.floats(n, 1, 0.1), 1e-5) }

func (r random) layerNorm(name string) *Norm {
	return NewLayerNorm(name, r.floats(dim, 1, 0.1), r.floats(dim, 0, 0.1), 1e-5)
}

// fused is a layer of several parts.
func (r random) fused(name string, in int, sizes ...int) *Linear {
	out := 0
	for _, n := range sizes {
		out += n
	}
	l := r.linear(name, out, in)
	return NewFused(name, l.Weight(), l.Bias(), sizes...)
}

// kinds are the forms that blocks and stacks of the model families take.
var kinds = map[string]kind{
	"llama": {},
	"norms of heads": {block: func(c *BlockConfig, r random, i int) {
		c.QNorm, c.KNorm = r.norm("q", head), r.norm("k", head)
	}},
	"norms after, norms of all heads": {block: func(c *BlockConfig, r random, i int) {
		c.AttnNorm, c.MLPNorm, c.AttnPost, c.MLPPost = nil, nil, r.norm("after", dim), r.norm("after2", dim)
		c.QNorm, c.KNorm = r.norm("q", heads*head), r.norm("k", kvHeads*head)
	}},
	"norms all around, caps, windows, GELU": {
		block: func(c *BlockConfig, r random, i int) {
			c.AttnNorm, c.AttnPost, c.MLPNorm, c.MLPPost = r.plus1("1", dim), r.plus1("2", dim), r.plus1("3", dim), r.plus1("4", dim)
			c.Act, c.SoftCap = kernels.GELUTanh, 2
			if i%2 == 0 {
				c.Window = 3
			}
		},
		stack: func(s *Stack, r random) {
			s.Norm, s.LogitCap = r.plus1("norm", dim), 1.5
			s.Embed.Multiply(1.7)
		},
	},
	"layer norms, positions, one layer for q, k and v, no gate": {
		block: func(c *BlockConfig, r random, i int) {
			c.Q, c.K, c.V = nil, nil, nil
			c.QKV = r.fused(fmt.Sprintf("layers.%d.qkv", i), dim, heads*head, kvHeads*head, kvHeads*head)
			c.Gate, c.Act, c.Rope = nil, kernels.GELUTanh, nil
			c.AttnNorm, c.MLPNorm = r.layerNorm("ln_1"), r.layerNorm("ln_2")
		},
		stack: func(s *Stack, r random) {
			s.Norm = r.layerNorm("ln_f")
			s.Positions = NewEmbedding("positions", kernels.FromFloat32(100, dim, r.floats(100*dim, 0, 0.5)))
		},
	},
	"multipliers": {
		block: func(c *BlockConfig, r random, i int) { c.Residual, c.Scale = 0.6, 0.3 },
		stack: func(s *Stack, r random) { s.InputScale, s.LogitScale = 2, 0.7 },
	},
	"one layer for gate and up, some layers not rotated": {block: func(c *BlockConfig, r random, i int) {
		c.Gate, c.Up = nil, nil
		c.GateUp = r.fused(fmt.Sprintf("layers.%d.gate_up", i), dim, ff, ff)
		if i%2 == 1 {
			c.Rope = nil
		}
	}},
}

// eachKind runs f for each kind.
func eachKind(t *testing.T, f func(t *testing.T, k kind)) {
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) { f(t, k) })
	}
}

// TestKinds_gradients compares the gradients of all slots with central differences of the loss, and what each slot has alone with what
// it has among all.
func TestKinds_gradients(t *testing.T) {
	eachKind(t, func(t *testing.T, kind kind) {
		s, k := newKind(1, 2, kind), newTask(1, 5, 9)
		fillAll(s, false)
		ps := params(s)
		for _, p := range ps { // some of the change that others bring would make the loss too crooked for differences
			if strings.HasSuffix(p.Name, ".B") {
				copy(p.Data, newRandom(op.ModuleKey(p.Name)).floats(p.Size(), 0, 0.1))
			}
		}
		mustTrain(t, s, k, 0.5)
		checkGradients(t, s, k, 0.5, ps)
	})
}

// TestKinds_alone: a parameter that is alone gets the gradient that it has when all slots are filled, and with Recompute the same bits.
func TestKinds_alone(t *testing.T) {
	eachKind(t, func(t *testing.T, kind kind) {
		k, all := newTask(13, 40, 3), newKind(13, 2, kind)
		fillAll(all, false)
		want, losses := map[string][]float32{}, mustTrain(t, all, k, 1)
		for _, p := range params(all) {
			want[p.Name] = p.Grad
		}
		for _, f := range fillers(all) {
			if f.name == "lm_head weight" || f.name == "embed weight" {
				continue // among all, rows take gradients from them
			}
			one, again := newKind(13, 2, kind), newKind(13, 2, kind)
			f.fill(one, false)
			f.fill(again, false)
			again.Recompute = true
			testkit.Near(t, f.name+": losses", mustTrain(t, one, k, 1), losses, 1e-5, 1e-6)
			mustTrain(t, again, k, 1)
			for i, p := range params(one) {
				testkit.Near(t, p.Name+" alone", p.Grad, want[p.Name], 1e-4, 1e-6)
				if !slices.Equal(params(again)[i].Grad, p.Grad) {
					t.Errorf("%v: another gradient with Recompute", p)
				}
			}
		}
	})
}

// TestKinds_reduced: with products in bfloat16 all gradients together are those of float32 to within 0.03 of their norm, more than twice what was measured.
func TestKinds_reduced(t *testing.T) {
	eachKind(t, func(t *testing.T, kind kind) {
		backend.Each(t, func(t *testing.T) {
			k := newTask(3, 40, 7)
			run := func(prec kernels.Precision) (all []float32) {
				s := newKind(1, 2, kind)
				fillAll(s, false)
				p := k.pass(newArena(t))
				p.Prec = prec
				if err := s.Train(p, k.ids, k.labels, make([]float64, p.T), 1); err != nil {
					t.Fatal(err)
				}
				for _, p := range params(s) {
					all = append(all, p.Grad...)
				}
				return all
			}
			exact, rounded := run(kernels.F32), run(kernels.BF16)
			diff := slices.Clone(exact)
			for i := range diff {
				diff[i] -= rounded[i]
			}
			if rel := math.Sqrt(dot(diff, diff) / dot(exact, exact)); !(rel < 0.03) || rel == 0 {
				t.Errorf("gradients differ by %g of their norm", rel)
			}
		})
	})
}

// TestKinds_extend: sequences cut into pieces, and token by token, have the states of a pass over each of them.
func TestKinds_extend(t *testing.T) {
	eachKind(t, func(t *testing.T, kind kind) {
		backend.Each(t, func(t *testing.T) {
			s := newKind(9, 2, kind)
			fillAll(s, true)
			q, single := newSequences(t, s, 60, 40), newSequences(t, s, 60, 40)
			q.extend(t, piece{0, 0, 20})
			q.extend(t, piece{1, 0, 1}, piece{0, 20, 21})
			q.extend(t, piece{0, 21, 60}, piece{1, 1, 40})
			for at := range 60 {
				if at < 40 {
					single.decode(at, 0, 1)
				} else {
					single.decode(at, 0)
				}
			}
			for i, ids := range q.ids {
				p := task{lengths: []int{len(ids)}, ids: ids}.pass(q.arena)
				p.Train = false
				want := slices.Clone(s.Hidden(p, ids))
				if !slices.Equal(q.out[i], want) {
					t.Errorf("sequence %d differs in pieces", i)
				}
				testkit.Near(t, fmt.Sprintf("sequence %d, decoded", i), single.out[i], want, 2e-5, 0)
			}
		})
	})
}
