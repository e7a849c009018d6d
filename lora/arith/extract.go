package arith

import (
	"errors"
	"fmt"
	"slices"

	"ft/internal/kernels"
	"ft/nn"
	"ft/peft"
)

// Extract is the adapter of the given rank that leads from one model to another of the same shape: for every linear layer that
// differs, but for the output head, the best approximation of the difference. Layers that are the same are no targets. What differs
// besides is named in Result.Others: a LoRA adapter has no place for it. The models' slots count for nothing.
func Extract(base, tuned peft.Host, rank int) (*Result, error) {
	if rank < 1 {
		return nil, fmt.Errorf("--rank: must be 1 or more, got %d", rank)
	}
	from, to := base.Linears(), tuned.Linears()
	if base.ModelType() != tuned.ModelType() || len(from) != len(to) {
		return nil, fmt.Errorf("the two models are of different architectures: %s with %d linear layers, and %s with %d",
			base.ModelType(), len(from), tuned.ModelType(), len(to))
	}
	r := &Result{}
	errs := &tally{}
	for i, l := range from {
		if a, b := l.Weight(), to[i].Weight(); l.Name != to[i].Name || a.Rows != b.Rows || a.Cols != b.Cols {
			return nil, fmt.Errorf("%s is [%d,%d] in the base, %s is [%d,%d] in the tuned model: they are different models", l.Name, a.Rows, a.Cols, to[i].Name, b.Rows, b.Cols)
		}
		if !slices.Equal(l.Bias(), to[i].Bias()) {
			r.Others = append(r.Others, l.Name+".bias")
		}
		if l.Head {
			if !l.Tied && differs(l.Weight(), to[i].Weight()) {
				r.Others = append(r.Others, l.Name+".weight")
			}
			continue
		}
		delta, any := difference(l.Weight(), to[i].Weight())
		if !any {
			continue
		}
		p, rest, size, err := approximate(delta, rank)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.Name, err)
		}
		p.Module = l.Name
		r.Pairs, r.Rank = append(r.Pairs, p), max(r.Rank, p.Rank)
		errs.add(l.Name, p.Rank, rest, size)
	}
	r.Others = append(others(base.Stack(), tuned.Stack()), r.Others...)
	if len(r.Pairs) == 0 {
		return nil, errors.New("all linear layers of the two models are the same: there is nothing to extract")
	}
	r.Modules, r.Error = errs.modules, errs.total()
	return r, nil
}

// difference is b - a, and whether there is any.
func difference(a, b *kernels.Matrix) (delta *kernels.Matrix, any bool) {
	out := make([]float32, a.Rows*a.Cols)
	row := make([]float32, a.Cols)
	for i := range a.Rows {
		d := out[i*a.Cols : (i+1)*a.Cols]
		a.Row(row, i)
		b.Row(d, i)
		for j, v := range row {
			d[j] -= v
			any = any || d[j] != 0
		}
	}
	return kernels.FromFloat32(a.Rows, a.Cols, out), any
}

func differs(a, b *kernels.Matrix) bool {
	ra, rb := make([]float32, a.Cols), make([]float32, b.Cols)
	for i := range min(a.Rows, b.Rows) {
		a.Row(ra, i)
		b.Row(rb, i)
		if !slices.Equal(ra, rb) {
			return true
		}
	}
	return a.Rows != b.Rows
}

// others are the embedding and the norms that differ.
func others(a, b *nn.Stack) (names []string) {
	if differs(a.Embed.Table(), b.Embed.Table()) {
		names = append(names, a.Embed.Name+".weight")
	}
	na, nb := a.Norms(), b.Norms()
	for i := range min(len(na), len(nb)) {
		if !slices.Equal(na[i].Gain(), nb[i].Gain()) {
			names = append(names, na[i].Name+".weight")
		}
	}
	return names
}
