package cmd

import (
	"ft/internal/quant"
	"ft/internal/run"
	"ft/internal/ui"
	"ft/peft"
)

// Training holds four float32 values for each parameter: itself, its gradient and two moments of AdamW. The last three take memory when
// the first step begins.
const (
	bytesPerParam = 16
	bytesToCome   = 12
)

// trainedBytes is the memory, in bytes, that what is trained takes in training.
func trainedBytes(a peft.Adapter) int64 {
	n := bytesPerParam * int64(trainable(a))
	if more, ok := a.(interface{ ExtraBytes() int64 }); ok { // values that follow from parameters
		n += more.ExtraBytes()
	}
	return n
}

// freeMemory is what the first step finds free beside what it takes itself for what is trained, in bytes; 0 is unknown.
func (p *prepared) freeMemory() int64 {
	available := run.AvailableMemory()
	if available == 0 {
		return 0
	}
	return max(1, available-bytesToCome*int64(trainable(p.session.adapter)))
}

// tellMemory says what memory is needed for what is trained, and warns where it is not there.
func (p *prepared) tellMemory(s ui.Streams) {
	a := p.session.adapter
	s.Note("memory   %s for what is trained: its weights and gradients, and AdamW's moments", ui.Bytes(trainedBytes(a)))
	if t := p.session.base.Model.Linears()[0].Weight().Type; p.outcome() == run.ModelDir && t != quant.F32 {
		s.Note("         the base's %s weights are trained in float32", t)
	}
	if p.freeMemory() == 1 {
		s.Warn("%s more are needed and %s are free: training may be ended for want of memory. method.kind lora or freeze takes far less than full",
			ui.Bytes(bytesToCome*int64(trainable(a))), ui.Bytes(run.AvailableMemory()))
	}
}
