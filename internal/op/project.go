package op

import "ft/internal/kernels"

// Project is attention's output projection and how it joins the residual stream.
type Project struct {
	Out      *Linear // [D,H·HeadDim]
	Residual Residual
}

// ProjectState is what the stage's backward pass needs beside its input.
type ProjectState struct {
	out  LinearState
	post normState
}

// Room is memory for the state.
func (w *Project) Room(p *Pass) ProjectState {
	return ProjectState{out: w.Out.room(p), post: w.Residual.room(p, w.Out.W.Rows)}
}

// ProjectForward adds a·Wᵀ to the residual stream x [T,D]. a is [T,H·HeadDim].
func ProjectForward(p *Pass, w *Project, st *ProjectState, x []float32, a kernels.Act) {
	w.Residual.forward(p, w.Out, st.out, &st.post, x, a)
}

// ProjectBackward writes da [T,H·HeadDim] from dx [T,D], the gradient of the residual stream, unless da is nil, and
// adds the slots' gradients. The residual's part of the gradient is dx itself, which the caller keeps.
func ProjectBackward(p *Pass, w *Project, da, dx []float32, a kernels.Act, st *ProjectState) {
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	o := w.Out
	b := o.gradients(p, w.Residual.backward(p, &st.post, dx, o.W.Rows), st.out)
	b.params(p, a, nil)
	switch {
	case da != nil:
		b.input(p, kernels.Sink{Kind: kernels.ToRows, Rows: da, LD: o.W.Cols}, a, nil)
	case o.In != nil && o.In.DG != nil:
		b.inputScale(p, a, nil)
	}
}
