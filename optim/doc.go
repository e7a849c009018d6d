// Package optim updates trainable parameters: AdamW, clipping by the global gradient norm, and
// learning-rate schedules.
//
// A training step is
//
//	norm := optim.Clip(grads, 1.0)   // in place; a norm that is not finite leaves grads alone
//	err := adam.Step(lr(step), params)
//
// Everything works on plain float32 slices, knows nothing of the graph that made the gradients,
// and gives the same bits with any number of threads.
package optim
