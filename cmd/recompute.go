package cmd

import "ft/internal/ui"

// recompute decides train.recompute on a machine with so much memory to spare, in bytes; 0 is unknown.
func (t *training) recompute(available int64) bool {
	c := t.config
	if c.Train.Recompute != "auto" {
		return c.Train.Recompute == "on"
	}
	tokens := c.Data.MaxTokens
	if c.Data.Pack {
		tokens = max(tokens, c.Train.MicroTokens-t.session.base.Model.Virtual())
	}
	need := t.session.base.Model.StateBytes(tokens)
	if available == 0 || need <= available/2 {
		return false
	}
	t.streams.Note("memory   a pass of %s tokens would keep %s of the %s that are free: activations are computed twice (train.recompute: off keeps them)",
		ui.Count(tokens), ui.Bytes(need), ui.Bytes(available))
	return true
}
