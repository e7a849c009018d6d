// Package lora is low-rank adaptation (Hu et al. 2021, arXiv:2106.09685): next to a frozen weight W [out,in] it
// trains A [r,in] and B [out,r], and the layer computes
//
//	y = x·Wᵀ + s·drop(x)·Aᵀ·Bᵀ    s = alpha/r, or alpha/√r when rank-stabilised (Kalajdzievski 2023, arXiv:2312.03732)
//
// Besides, it trains what Hugging Face PEFT's LoRA can: the length of rows apart from their direction (DoRA, Liu et al. 2024,
// arXiv:2402.09353), biases, pairs on the token embedding, where the pair's product is the transpose of what is added to the table,
// whole copies of modules, and single tokens' rows of embedding and head.
//
// A starts random and B at zero, so a fresh adapter changes nothing; merged, the layer is W + s·B·A and costs
// nothing. Rank and alpha may differ between modules. The files are those of Hugging Face PEFT.
package lora
