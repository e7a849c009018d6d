// Package arith calculates with LoRA adapters without a model: sums of several in the ways of Hugging Face PEFT's
// add_weighted_adapter, cuts to a lower rank, and the adapter that leads from one full model to another.
//
// What is deterministic in PEFT has its numbers here. DARE (Yu et al. 2023, arXiv:2311.03099) drops values at random: the draws are
// counter-based, so they depend on the seed, the adapter's place in the list, the module and the position alone; they are not PyTorch's.
//
// The result is a plain adapter of one rank whose scale is 1. Ranks that a module does not need are zeros.
package arith
