package merge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"ft/base"
	"ft/internal/kernels"
	"ft/internal/quant"
	"ft/model"
	"ft/weights"
)

// Proof is what was found when the merged model was read back.
type Proof struct {
	Targets   int     `json:"targets"`   // tensors the adapter changes
	Changed   int     `json:"changed"`   // of them, found changed in the file
	Elements  int64   `json:"elements"`  // values in them
	MaxDiff   float64 `json:"max_diff"`  // largest difference of a logit
	Bound     float64 `json:"bound"`     // that it may have
	MaxLogit  float64 `json:"max_logit"` // largest logit, for scale
	Positions int     `json:"positions"` // of the prompts that were compared
}

// maxLogitShare is the bound for F32 output, as a share of the largest logit.
const maxLogitShare = 1e-4

// Prove reads the merged model back and compares it with base and adapter: every value must be the exact one
// rounded once, every targeted tensor must have changed, text must become the same tokens under the same template,
// and the logits on prompts (token ids) must agree.
//
// The bound on logits is 1e-4 of the largest one for F32, and for other types three times what rounding the base alone to
// that type does on the same prompts: the largest of doing so once and of two simulations, which move one value in
// twelve by one step and so have the variance of rounding. They alone count where the base's values are of that type already.
// The proof ends early, with ctx's error, when ctx ends.
func Prove(ctx context.Context, o Options, families []*model.Family, prompts [][]int32) (*Proof, error) {
	m, err := newMerger(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("merge: proof: %w", err)
	}
	out, err := base.Open(m.Out, families)
	if err != nil {
		return nil, fmt.Errorf("merge: proof: reading the result back: %w", err)
	}
	defer out.Close()
	p := &Proof{}
	if err := m.compareWeights(out, p); err != nil {
		return p, fmt.Errorf("merge: proof: %w", err)
	}
	if err := m.compareText(out, prompts); err != nil {
		return p, fmt.Errorf("merge: proof: %w", err)
	}
	if err := m.compareLogits(out, families, prompts, p); err != nil {
		return p, fmt.Errorf("merge: proof: %w", err)
	}
	if !(p.MaxDiff <= p.Bound) {
		return p, fmt.Errorf("merge: proof: logits differ by up to %.3g, more than the bound %.3g: the merged model would answer differently", p.MaxDiff, p.Bound)
	}
	return p, nil
}

func (m *merger) compareWeights(out *base.Base, p *Proof) error {
	unchanged := "" // the first targeted tensor that is
	modules := map[string]bool{}
	for _, it := range m.items {
		if err := m.ctx.Err(); err != nil {
			return err
		}
		want, changed, err := m.exact(it)
		if err != nil {
			return err
		}
		got, err := out.Source.Tensor(it.out)
		if err != nil {
			return err
		}
		same, asBase := sameRounded(got, it.typ, want), false
		if changed {
			p.Targets++
			modules[strings.TrimSuffix(it.hf, path.Ext(it.hf))] = true // a module's weight and bias may both be
			p.Elements += int64(len(want))
			if asBase, err = m.isBase(got, it); err != nil {
				return err
			}
		}
		switch {
		case asBase && unchanged == "":
			unchanged = it.out
		case !same && !asBase:
			return fmt.Errorf("tensor %s in the file is not the exact value rounded to %s", it.out, it.typ)
		}
		if changed && !asBase {
			p.Changed++
		}
	}
	if m.Adapter != nil && len(modules) != len(m.Adapter.Targets()) {
		return fmt.Errorf("the adapter changes %d modules, the file has %d of them", len(m.Adapter.Targets()), len(modules))
	}
	if p.Changed < p.Targets {
		return fmt.Errorf("%d of %d targeted tensors are as in the base (the first is %s): the adapter is zero there, or too small for %s, which a finer --type mends",
			p.Targets-p.Changed, p.Targets, unchanged, m.Type)
	}
	return nil
}

// sameRounded reports whether a tensor has the type and holds the values rounded to it.
func sameRounded(got weights.Tensor, typ quant.Type, values []float32) bool {
	rounded := make([]byte, typ.RowBytes(len(values)))
	quant.Quantize(rounded, typ, values)
	return got.Type == typ && bytes.Equal(got.Data, rounded)
}

// isBase reports whether a tensor of the result is the base's without the adapter.
func (m *merger) isBase(got weights.Tensor, it item) (bool, error) {
	without := &merger{Options: m.Options}
	without.Adapter = nil
	was, _, err := without.exact(it)
	return err == nil && sameRounded(got, it.typ, was), err
}

// compareText asks that the prompts' texts become the same tokens again, and that the template arrived.
func (m *merger) compareText(out *base.Base, prompts [][]int32) error {
	if got, want := out.Chat.Source, m.Base.Chat.Source; got != want {
		return fmt.Errorf("the chat template in the file, of %d bytes, is not the one of %d bytes that it was to carry", len(got), len(want))
	}
	if m.Base.Tokenizer == nil {
		return nil
	}
	if out.Tokenizer == nil {
		return fmt.Errorf("the result has no tokenizer")
	}
	for i, ids := range prompts {
		text := m.Base.Tokenizer.Decode(ids, false)
		got, want := out.Tokenizer.Encode(text, true), m.Base.Tokenizer.Encode(text, true)
		if !slices.Equal(got, want) {
			return fmt.Errorf("the tokenizer in the file makes other tokens of prompt %d than the base's", i+1)
		}
	}
	return nil
}

func (m *merger) compareLogits(out *base.Base, families []*model.Family, prompts [][]int32, p *Proof) error {
	var err error
	p.MaxDiff, p.MaxLogit, p.Positions, err = m.logitDiff(m.Base.Model, out.Model, prompts)
	if err != nil {
		return err
	}
	p.Bound = maxLogitShare * p.MaxLogit
	if m.Type == quant.F32 {
		return nil
	}
	rounding, err := m.roundingDiff(families, prompts)
	p.Bound = max(p.Bound, 3*rounding)
	return err
}

// logitDiff runs both models over the prompts in float32 and compares all logits.
func (m *merger) logitDiff(a, b *model.Model, prompts [][]int32) (diff, largest float64, positions int, err error) {
	a.SetPrecision(kernels.F32)
	b.SetPrecision(kernels.F32)
	for _, ids := range prompts {
		if err := m.ctx.Err(); err != nil {
			return 0, 0, 0, err
		}
		at := make([]int32, len(ids))
		for i := range at {
			at[i] = int32(i)
		}
		rows := make([][]float32, len(ids))
		if err := a.Logits(ids, at, func(i int, l []float32) { rows[i] = append([]float32(nil), l...) }); err != nil {
			return 0, 0, 0, err
		}
		diffs, tops := make([]float64, len(ids)), make([]float64, len(ids))
		err := b.Logits(ids, at, func(i int, l []float32) {
			for j, v := range l {
				d := math.Abs(float64(v) - float64(rows[i][j]))
				if math.IsNaN(d) {
					d = math.Inf(1)
				}
				diffs[i] = max(diffs[i], d)
				tops[i] = max(tops[i], math.Abs(float64(v)))
			}
		})
		if err != nil {
			return 0, 0, 0, err
		}
		for i := range diffs {
			diff, largest = max(diff, diffs[i]), max(largest, tops[i])
		}
		positions += len(ids)
	}
	return diff, largest, positions, nil
}

// shakes is how often rounding is simulated beside doing it once. Errors pass through a deep model by luck: positions that share a
// prefix share it, so one draw can be low by a factor.
const shakes = 2

// roundingDiff is the largest difference of a logit that rounding the base alone to the output's type makes. Rounded bases lie in
// temporary files beside the output, so that they cost no memory.
func (m *merger) roundingDiff(families []*model.Family, prompts [][]int32) (float64, error) {
	temp, err := m.tempDir()
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(temp)
	rounded, err := m.openRounded(filepath.Join(temp, "0"), families, 0)
	if err != nil {
		return 0, err
	}
	defer rounded.Close()
	largest := 0.0
	err = m.Base.Model.WithoutSlots(func() error {
		var err error
		largest, _, _, err = m.logitDiff(m.Base.Model, rounded.Model, prompts)
		return err
	})
	for draw := 1; draw <= shakes && err == nil; draw++ {
		var diff float64
		diff, err = m.shakenDiff(filepath.Join(temp, fmt.Sprint(draw)), families, rounded, draw, prompts)
		largest = max(largest, diff)
	}
	return largest, err
}

// shakenDiff compares the rounded base with one that is shaken besides.
func (m *merger) shakenDiff(path string, families []*model.Family, rounded *base.Base, draw int, prompts [][]int32) (float64, error) {
	shaken, err := m.openRounded(path, families, draw)
	if err != nil {
		return 0, err
	}
	diff, _, _, err := m.logitDiff(rounded.Model, shaken.Model, prompts)
	shaken.Close()
	return diff, errors.Join(err, os.RemoveAll(shaken.Path)) // each is as large as the result
}

// openRounded writes the base alone in the output's type, shaken unless draw is 0, and opens it. path is where, without an extension.
func (m *merger) openRounded(path string, families []*model.Family, draw int) (*base.Base, error) {
	alone := &merger{Options: m.Options, ctx: m.ctx, items: m.items, untied: m.untied}
	alone.Adapter = nil
	put := func(w *weights.Writer, it item) error { return alone.writeRounded(w, it, draw) }
	if isGGUF(m.Out) {
		path += ".gguf"
		if err := alone.writeGGUF(path, put); err != nil {
			return nil, err
		}
		return base.Open(path, families)
	}
	files, err := alone.smallFiles()
	if err == nil {
		err = os.Mkdir(path, 0o777)
	}
	if err == nil {
		err = alone.fillDir(path, files, put)
	}
	if err != nil {
		return nil, err
	}
	return base.Open(path, families)
}
