// Package merge writes a base model and an adapter as one standalone model, and proves that the result
// answers as the two did.
//
// Weights pass through one at a time: decoded to float32, changed by the adapter in float32, rounded once to
// the output's number type. The proof reads the file back, rounds every exact value again and compares the bytes, and
// then compares logits on prompts.
package merge

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"ft/base"
	"ft/internal/quant"
	"ft/model"
	"ft/peft"
	"ft/weights"
	"ft/weights/gguf"
	"ft/weights/safetensors"
)

// Options say what to merge into what.
type Options struct {
	Base    *base.Base   // with the template in place that the result is to carry
	Adapter peft.Adapter // on Base's model
	Out     string       // a .gguf file, or else a directory
	Type    quant.Type   // F32, F16, BF16, or Q8_0 in a .gguf file; norms and biases are F32 always
	Force   bool         // replace what is there

	Files map[string][]byte // more files for a directory, by name
}

// Types are the number types a merge can write.
var Types = []quant.Type{quant.F32, quant.F16, quant.BF16, quant.Q8_0}

// DefaultType is the base's own number type if a merge can write it, and F16 for other quantised bases.
func DefaultType(b *base.Base, out string) quant.Type {
	t := b.Model.Linears()[0].Weight().Type
	for _, have := range Types {
		if t == have && (isGGUF(out) || t != quant.Q8_0) {
			return t
		}
	}
	return quant.F16
}

func isGGUF(path string) bool { return strings.EqualFold(filepath.Ext(path), ".gguf") }

// item is one tensor on its way.
type item struct {
	hf      string // Hugging Face name
	out     string // name in the output
	src     weights.Tensor
	typ     quant.Type // in the output
	shape   []int      // in the output
	rotary  bool       // GGUF stores its rows in llama.cpp's rotary order
	turned  bool       // Hugging Face stores it [in,out]
	plus    float32    // GGUF stores it greater by this
	headDim int
}

// merger is one merge.
type merger struct {
	Options
	ctx   context.Context // ends the merge before the next tensor or prompt
	items []item

	untied bool // the head has a tensor of its own, other than in the base
}

// Write writes the merged model to o.Out. Until it is complete nothing is there under that name, and what was there
// before stays, also when ctx ends, whose error is then returned.
func Write(ctx context.Context, o Options) error {
	m, err := newMerger(ctx, o)
	if err != nil {
		return fmt.Errorf("merge: %w", err)
	}
	if err := m.checkOut(); err != nil {
		return fmt.Errorf("merge: %w", err)
	}
	if isGGUF(m.Out) {
		err = m.writeGGUF(m.Out, m.write)
	} else {
		err = m.writeDir()
	}
	if err != nil {
		return fmt.Errorf("merge: %w", err)
	}
	return nil
}

// Check is an error if a merge with these options could not be written whatever the weights, in so far as that shows before.
func Check(o Options) error {
	m, err := newMerger(context.Background(), o)
	if err == nil && isGGUF(m.Out) {
		_, err = m.metadata()
	} else if err == nil {
		_, err = m.smallFiles()
	}
	if err != nil {
		return fmt.Errorf("merge: %w", err)
	}
	return nil
}

func newMerger(ctx context.Context, o Options) (*merger, error) {
	o.Out = filepath.Clean(o.Out) // shells complete a directory's name with a slash
	m := &merger{Options: o, ctx: ctx}
	if o.Type == quant.Q8_0 && !isGGUF(o.Out) {
		return nil, fmt.Errorf("type Q8_0 exists only in .gguf files; use F32, F16 or BF16 for a directory")
	}
	used, err := usedTensors(o.Base)
	if err != nil {
		return nil, err
	}
	f, spec := o.Base.Family, &o.Base.Model.Spec
	for _, name := range o.Base.Source.Names() {
		if !used[name] {
			continue // what some files hold besides: buffers, a tied head that was stored all the same, rope_freqs
		}
		hf, gguf := name, name
		if o.Base.GGUF != nil {
			hf, _ = f.HFName(name)
		} else {
			hf = f.Names.Canonical(name)
			gguf, _ = f.GGUFName(hf)
		}
		src, err := o.Base.Source.Tensor(name)
		if err != nil {
			return nil, err
		}
		it := item{
			hf: hf, out: hf, src: src, shape: src.Shape, rotary: f.IsInterleaved(hf), turned: f.IsTransposed(hf), plus: f.GGUFAdds(hf), headDim: spec.HeadDim,
		}
		if isGGUF(o.Out) {
			it.out = gguf
		}
		if it.turned && isGGUF(o.Out) != (o.Base.GGUF != nil) {
			it.shape = []int{src.Cols(), src.Rows()}
		}
		it.typ = m.typeOf(it.shape)
		m.items = append(m.items, it)
	}
	if u, ok := o.Adapter.(unties); ok && u.Unties() {
		return m, m.untie()
	}
	return m, nil
}

// unties is an adapter that changes embedding and output head in different ways although they share a weight in the base.
type unties interface{ Unties() bool }

// untie gives the output head, which shares the embedding's weight in the base, a tensor of its own, before the adapter changes either.
func (m *merger) untie() error {
	s := m.Base.Model.Stack()
	embedding, head := s.Embed.Name+".weight", s.Head.Name+".weight"
	i := slices.IndexFunc(m.items, func(it item) bool { return it.hf == embedding })
	if i < 0 {
		return fmt.Errorf("the base has no %s", embedding)
	}
	it := m.items[i]
	it.hf, it.out = head, head
	if isGGUF(m.Out) {
		name, ok := m.Base.Family.GGUFName(head)
		if !ok {
			return fmt.Errorf("the adapter separates the output head from the embedding, which a .gguf of family %s has no place for; merge into a directory",
				m.Base.Family.ModelType)
		}
		it.out = name
	}
	m.items, m.untied = append(m.items, it), true
	return nil
}

// recorder notes which tensors are asked for.
type recorder struct {
	weights.Source
	used map[string]bool
}

// Tensor is the source's.
func (r recorder) Tensor(name string) (weights.Tensor, error) {
	r.used[name] = true
	return r.Source.Tensor(name)
}

// usedTensors are the names of the tensors that the base's model consists of: those that building it reads. A file may hold others,
// which readers of the result must not find: llama.cpp takes a bias whenever there is one.
func usedTensors(b *base.Base) (map[string]bool, error) {
	r := recorder{b.Source, map[string]bool{}}
	m, err := model.Build(b.Model.Spec, b.Family, r, b.GGUF != nil)
	if err != nil {
		return nil, err
	}
	return r.used, m.Close()
}

// typeOf is the output's type of a tensor. Vectors stay F32; rows that are no whole blocks become F16, as llama.cpp's own
// quantiser does it.
func (m *merger) typeOf(shape []int) quant.Type {
	switch {
	case len(shape) < 2:
		return quant.F32
	case shape[len(shape)-1]%m.Type.Block() != 0:
		return quant.F16
	}
	return m.Type
}

// exact gives a tensor's merged values in float32, in the output's row order, and whether the adapter changed it.
func (m *merger) exact(it item) ([]float32, bool, error) {
	w := it.src.Floats()
	rows, cols := it.src.Rows(), it.src.Cols()
	if len(it.src.Shape) == 1 {
		rows, cols = cols, 1
	}
	if it.turned && m.Base.GGUF == nil {
		w, rows, cols = weights.Transposed(w, rows, cols), cols, rows
	}
	if it.rotary && m.Base.GGUF != nil {
		w = permuted(w, cols, model.RotaryRows(rows, it.headDim), false)
	}
	add := func(v float32) {
		for i := range w {
			w[i] += v
		}
	}
	if it.plus != 0 && m.Base.GGUF != nil {
		add(-it.plus)
	}
	changed := false
	if m.Adapter != nil {
		var err error
		if changed, err = m.Adapter.Merge(it.hf, w, rows, cols); err != nil {
			return nil, false, err
		}
	}
	if it.rotary && isGGUF(m.Out) {
		w = permuted(w, cols, model.RotaryRows(rows, it.headDim), true)
	}
	if it.plus != 0 && isGGUF(m.Out) {
		add(it.plus)
	}
	if it.turned && !isGGUF(m.Out) {
		w = weights.Transposed(w, rows, cols)
	}
	return w, changed, nil
}

// permuted moves rows of w [rows,cols]: row r comes from row perm[r], or goes there with put.
func permuted(w []float32, cols int, perm []int32, put bool) []float32 {
	out := make([]float32, len(w))
	for r, p := range perm {
		to, from := r, int(p)
		if put {
			to, from = from, to
		}
		copy(out[to*cols:(to+1)*cols], w[from*cols:(from+1)*cols])
	}
	return out
}

// write puts a tensor's merged values into w.
func (m *merger) write(w *weights.Writer, it item) error {
	values, _, err := m.exact(it)
	if err != nil {
		return err
	}
	if err := representable(it, values); err != nil {
		return err
	}
	return w.WriteFloats(values)
}

// limits are the values above which rounding to a type may give infinity. Q8_0 has an F16 scale for each block, 1/127 of its
// largest value.
var limits = map[quant.Type]float32{quant.F32: math.MaxFloat32, quant.F16: 65504, quant.BF16: 0x1.fep127, quant.Q8_0: 127 * 65504}

// representable refuses values that are no finite numbers, or would not be in the output type.
func representable(it item, values []float32) error {
	limit := limits[it.typ]
	for i, v := range values {
		if v <= limit && v >= -limit {
			continue
		}
		if v != v || math.IsInf(float64(v), 0) {
			return fmt.Errorf("tensor %s: value %d is %g: base or adapter is damaged", it.out, i, v)
		}
		return fmt.Errorf("tensor %s: value %d is %g, beyond %s's range; use another --type", it.out, i, v, it.typ)
	}
	return nil
}

// writeGGUF writes all items to a GGUF file; put fills one.
func (m *merger) writeGGUF(path string, put func(*weights.Writer, item) error) error {
	kv, err := m.metadata()
	if err != nil {
		return err
	}
	ropes := m.Base.Model.Spec.RopeTensors()
	var infos []gguf.Info
	for _, r := range ropes {
		infos = append(infos, gguf.Info{Name: r.Name, Type: quant.F32, Shape: []int{len(r.Values)}})
	}
	for _, it := range m.items {
		infos = append(infos, gguf.Info{Name: it.out, Type: it.typ, Shape: it.shape})
	}
	w, err := gguf.NewWriter(path, kv, infos)
	if err != nil {
		return err
	}
	defer w.Abort()
	for _, r := range ropes {
		if err := w.Next(r.Name); err != nil {
			return err
		}
		if err := w.WriteFloats(r.Values); err != nil {
			return err
		}
	}
	return m.fill(w, put)
}

// writeSafetensors writes all items to one safetensors file; put fills one.
func (m *merger) writeSafetensors(path string, put func(*weights.Writer, item) error) error {
	var infos []safetensors.Info
	for _, it := range m.items {
		infos = append(infos, safetensors.Info{Name: it.out, DType: it.typ.String(), Shape: it.shape})
	}
	w, err := safetensors.NewWriter(path, infos, map[string]string{"format": "pt"})
	if err != nil {
		return err
	}
	defer w.Abort()
	return m.fill(w, put)
}

func (m *merger) fill(w *weights.Writer, put func(*weights.Writer, item) error) error {
	for _, it := range m.items {
		if err := m.ctx.Err(); err != nil {
			return err
		}
		if err := w.Next(it.out); err != nil {
			return err
		}
		if err := put(w, it); err != nil {
			return err
		}
	}
	return w.Close()
}
