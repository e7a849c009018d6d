// Package adalora is adaptive low-rank adaptation (Zhang et al. 2023, arXiv:2303.10512): next to a frozen weight W [out,in] it trains
// a form of singular value decomposition, A [r,in], E [r] and B [out,r], and the layer computes
//
//	y = x·Wᵀ + s·drop(x)·(A⊙E)ᵀ·Bᵀ    s = alpha/(init_rank + 1e-5)
//
// All layers begin with init_rank triplets (row of A, value of E, column of B). While it trains, triplets are scored by how much the loss
// depends on them, and the E of the worst over all layers is set to zero, until target_rank a layer are left on average. A penalty
// keeps the rows of A and the columns of B orthonormal:
//
//	step t          0 … tinit        tinit+1 … total-tfinal-1        total-tfinal … total-1
//	budget          init_rank        falls with a cubic curve        target_rank
//	triplets left   all              scored, masked every delta_t    as last masked
//
// Formulas and files are those of Hugging Face PEFT, but that the penalty counts once a step, however many passes it takes. What is
// saved holds the triplets that are left.
//
// E starts at zero between small A and B, so learning begins slowly: rates of 1e-3 and more are usual.
package adalora
