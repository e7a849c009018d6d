package lora

import (
	"fmt"
	"math"

	"ft/internal/kernels"
	"ft/nn"
	"ft/peft"
)

// Ends and marks of PEFT's tensor names beside those of pairs.
const (
	endBiasB           = ".lora_B.bias"
	endM               = ".lora_magnitude_vector"
	embeddingMark      = ".lora_embedding_"
	endWeight, endBias = ".weight", ".bias"
)

// lowRank is the pair of one adapted layer, or of the embedding, whose weight is taken as [D,V] then.
type lowRank struct {
	linear   *nn.Linear // or
	embed    *nn.Embedding
	rank     int
	scale    float32
	dropout  float32
	a, b     *nn.Param // [rank,In], [Out,rank]
	bias     *nn.Param // [Out] of B, or nil
	m        *nn.Param // [Out], DoRA's magnitudes, or nil
	base     *nn.Param // the base's bias, if it is trained too
	residual *residual // where A and B began with a part of the base's weight

	squares []float64 // DoRA's squared norms of the weight's rows, once they are known
}

// addLowRank works out rank and scale of a pair and makes its parameters.
func (a *adapter) addLowRank(l *lowRank) error {
	s := &a.settings
	var err error
	if l.rank, l.scale, err = s.of(l.path()); err != nil {
		return err
	}
	l.dropout = float32(s.dropout)
	out, in := l.size()
	embedding := l.embed != nil
	l.a, l.b = nn.NewParam(l.path()+endA[embedding], l.rank, in), nn.NewParam(l.path()+endB[embedding], out, l.rank)
	if s.loraBias {
		l.bias = nn.NewParam(l.path()+endBiasB, out)
		l.bias.NoDecay = true
	}
	if s.dora {
		l.m = nn.NewParam(l.path()+endM, out)
	}
	a.parts, a.modules = append(a.parts, l), append(a.modules, l)
	return nil
}

func (l *lowRank) path() string {
	if l.embed != nil {
		return l.embed.Name
	}
	return l.linear.Name
}

// size is what the pair's product is added to: a layer's weight, or the transpose of the embedding's.
func (l *lowRank) size() (out, in int) {
	if l.embed != nil {
		return l.embed.Table().Cols, l.embed.Table().Rows
	}
	return l.linear.Out(), l.linear.In()
}

func (l *lowRank) tensors() []string {
	t := []string{l.path() + endWeight}
	if l.bias != nil && l.linear.Bias() != nil {
		t = append(t, l.path()+endBias)
	}
	return t
}

func (l *lowRank) params() []*nn.Param {
	ps := []*nn.Param{l.a, l.b}
	for _, p := range []*nn.Param{l.bias, l.m} {
		if p != nil {
			ps = append(ps, p)
		}
	}
	return ps
}

// fill puts the pair into its slot. DoRA's factor and B's bias follow from it and are put there by what derives them.
func (l *lowRank) fill(s *nn.Stack) {
	if l.embed != nil {
		l.embed.SetLowRank(l.a, l.b, l.scale)
		return
	}
	a, b := l.slot()
	l.linear.SetLowRank(a, b, l.scale, l.dropout)
	if l.bias != nil {
		s.Derive(newShift(l))
	}
}

// slot is what the layer's slot holds, and what is saved: A and B, or those with the part of the base that they began with.
func (l *lowRank) slot() (a, b *nn.Param) {
	if l.residual == nil {
		return l.a, l.b
	}
	l.residual.Forward()
	return l.residual.wideA, l.residual.wideB
}

// merge adds scale·B·A to a weight and, with DoRA, gives its rows their lengths; or adds B's scaled bias to a bias.
func (l *lowRank) merge(tensor string, w []float32, out, in int) error {
	wantOut, wantIn := l.size()
	if l.embed != nil {
		if err := peft.Sized(w, out, in, wantIn, wantOut); err != nil {
			return err
		}
		kernels.Gemm(w, in, l.a.Data, out, true, l.b.Data, l.rank, true, out, in, l.rank, l.scale, true)
		return nil
	}
	if tensor == l.path()+endBias {
		if err := peft.Sized(w, out, in, wantOut, 1); err != nil {
			return err
		}
		for i, v := range l.bias.Data {
			w[i] += l.scale * v
		}
		return nil
	}
	if err := peft.Sized(w, out, in, wantOut, wantIn); err != nil {
		return err
	}
	if l.bias != nil && l.linear.Bias() == nil {
		return fmt.Errorf("the adapter has a bias (lora_bias) and the layer none to merge it into; use the adapter beside its base")
	}
	wa, wb := l.slot()
	rank := wa.Shape[0]
	kernels.Gemm(w, in, wb.Data, rank, false, wa.Data, in, false, out, in, rank, l.scale, true)
	if l.m != nil {
		kernels.Parallel(out, func(r int) {
			row := w[r*in : (r+1)*in]
			kernels.Scale(row, factor(l.m.Data[r], math.Sqrt(kernels.SumSquares(row))))
		})
	}
	return nil
}

// shift keeps a layer's bias at the base's and B's scaled one, both of which may be trained.
type shift struct {
	l    *lowRank
	base []float32 // or nil
	sum  *nn.Param
}

func newShift(l *lowRank) *shift {
	d := &shift{l: l, base: l.linear.Bias(), sum: nn.NewParam("", l.linear.Out())}
	if l.base != nil {
		d.base = l.base.Data
	}
	l.linear.SetBias(d.sum)
	return d
}

// Forward adds up the layer's bias.
func (d *shift) Forward() {
	clear(d.sum.Data)
	copy(d.sum.Data, d.base)
	kernels.Axpy(d.sum.Data, d.l.scale, d.l.bias.Data)
}

// Backward shares its gradient out.
func (d *shift) Backward() {
	kernels.Axpy(d.l.bias.Grad, d.l.scale, d.sum.Grad)
	if d.l.base != nil {
		kernels.Axpy(d.l.base.Grad, 1, d.sum.Grad)
	}
	d.sum.ZeroGrad()
}
