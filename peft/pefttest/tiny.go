package pefttest

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"ft/internal/quant"
	"ft/model"
	"ft/model/family"
	"ft/weights"
)

const vocab = 40

// spec is the tiny llama. Its widths are no multiples of 32, so backends that round the others' products to
// bfloat16 compute it in float32 and the suite's tolerances hold on all of them.
var spec = model.Spec{
	ModelType: "llama", Vocab: vocab, Dim: 24, Layers: 2, Heads: 4, KVHeads: 2, HeadDim: 6, FF: 36, Eps: 1e-5,
	Rope: model.Rope{Kind: "default", Theta: 10000}, Context: 64, BOS: model.NoToken,
}

// tiny makes the model with random weights that are always the same. change, unless nil, may alter the float32
// weight [out,in] of each linear layer in the model's order, before the model is built.
func tiny(t *testing.T, change func(module string, w []float32, out, in int)) *model.Model {
	t.Helper()
	src := source{}
	m, err := model.Build(spec, &family.Llama, src, false)
	if err != nil {
		t.Fatal(err)
	}
	if change == nil {
		return m
	}
	for _, l := range m.Linears() {
		name := l.Name + ".weight"
		w, err := src.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		values := w.Floats()
		change(l.Name, values, l.Out(), l.In())
		quant.Quantize(w.Data, quant.F32, values)
	}
	return m
}

// source is a weights.Source that makes up every tensor of the tiny model when it is first asked for.
type source map[string]weights.Tensor

func (s source) Names() []string { return nil }
func (s source) Close() error    { return nil }

func (s source) Tensor(name string) (weights.Tensor, error) {
	if t, ok := s[name]; ok {
		return t, nil
	}
	h := fnv.New64a()
	h.Write([]byte(name))
	r := rand.New(rand.NewPCG(1, h.Sum64()))
	t := weights.Tensor{Name: name, Type: quant.F32, Shape: shape(name)}
	values := make([]float32, t.Rows()*t.Cols())
	for i := range values {
		values[i] = float32(r.NormFloat64() / math.Sqrt(float64(t.Cols())))
		if len(t.Shape) == 1 {
			values[i] = 1 + values[i]/2 // a norm's gain
		}
	}
	t.Data = make([]byte, 4*len(values))
	quant.Quantize(t.Data, quant.F32, values)
	s[name] = t
	return t, nil
}

// shape is the shape of a llama tensor by its name.
func shape(name string) []int {
	q, kv := spec.Heads*spec.HeadDim, spec.KVHeads*spec.HeadDim
	for part, shape := range map[string][]int{
		"norm": {spec.Dim}, "embed_tokens": {spec.Vocab, spec.Dim}, "lm_head": {spec.Vocab, spec.Dim},
		"q_proj": {q, spec.Dim}, "k_proj": {kv, spec.Dim}, "v_proj": {kv, spec.Dim}, "o_proj": {spec.Dim, q},
		"gate_proj": {spec.FF, spec.Dim}, "up_proj": {spec.FF, spec.Dim}, "down_proj": {spec.Dim, spec.FF},
	} {
		if strings.Contains(name, part) {
			return shape
		}
	}
	return nil
}
