// Package full trains tensors of the base model itself: all of them (full fine-tuning), those of the last blocks (freeze, as layer
// freezing is called), or the biases alone (BitFit, Ben Zaken et al. 2022, arXiv:2106.10199).
//
//	base's tensor ─ float32 ─▶ master (nn.Param) ─ the slot of its layer ─▶ passes
//	                              │    ▲ AdamW
//	                              └────┴─▶ bfloat16 copy, with weights: bfloat16, which the passes then see
//
// A master is the tensor's value in float32, whatever the base's number type; quantised bases are dequantised. A tied embedding and
// head are one master, which gets both gradients. PEFT has no format for such tensors, and for most models they are most of the
// model, so the outcome is a whole model: the adapter is a peft.Standalone, whose Merge puts the masters in the place of the base's
// tensors.
package full
