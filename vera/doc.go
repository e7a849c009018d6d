// Package vera is vector-based random matrix adaptation (Kopiczko et al. 2024, arXiv:2310.11454): all adapted layers share one
// frozen random pair A [r,in], B [out,r], and each trains only two vectors, d [r] and b [out]:
//
//	y = x·Wᵀ + b ⊙ (B (d ⊙ (A drop(x))))
//
// A layer takes as many leading columns of A and rows of B as it is wide. d starts at a small constant and b at zero, so a fresh
// adapter changes nothing; merged, the layer is W + diag(b)·B·diag(d)·A and costs nothing. There is no scaling factor. The pair
// follows from a key by the generator of PyTorch, and the files are those of Hugging Face PEFT.
// So few values are trained at rates ten times those of LoRA and more.
package vera
