// Package kernels does the arithmetic: matrix products with frozen weights in their file's number type, and
// the elementwise steps of a decoder. Slices in, slices out; it knows nothing of models or gradients' order.
//
// Contract of every exported function:
//
//   - Matrices are row-major. Shapes stand in brackets, sizes are in elements.
//   - Lengths are checked once, on entry; a wrong one is a programmer's error and panics. User input cannot
//     cause it: readers of files check shapes before they build a Matrix.
//   - NaN and infinities pass through as IEEE arithmetic has it.
//   - Workers split rows and columns, never a reduction: results do not depend on SetThreads.
//   - A row of MulT, Mul, MulRows, RMSNorm or RoPE depends on that row's input and the weights only, bit for bit,
//     wherever it lies in the batch and however large the batch is. Within one backend an element of an
//     elementwise function does not depend on its index. Generation relies on both.
//   - Backends ("avx512", "avx2", "generic") differ in rounding; generic, plain Go, is the specification.
//
// A product runs in three steps, the same for every backend (gemm.go):
//
//	task   = a block of C, some rows × some columns; it owns all of k
//	pack   = the block's columns of B, one chunk of k at a time → panels [columns/nr][k][nr], dequantised
//	tile   = mr×nr of C: accumulators over the chunk's k in order, then one scaled store or add
//
// A backend is mr, nr, the tile and a few packing and elementwise routines (backend.go):
//
//	          tile    elementwise   packing    CPU
//	avx512    14×32   AVX-512       AVX2       AVX-512 F
//	avx2      6×16    AVX2          AVX2       AVX2, FMA, F16C
//	generic   4×4     Go            Go         any, and with -tags purego
//
// Products of few rows, which decoding has, pack nothing (gemv.go): weight rows are read once, dequantised in registers or a group
// at a time, and multiplied with all inputs as dot products, each summed in one order. A number format is described once, in
// _asm/dequant.go and superblocks.go, for its dequantisers and its products alike.
//
// What lies between the products of a block, on tiles and result blocks, is blockOps (blockops.go). Tiles of
// float32 have assembly for AVX-512 and AVX2, those of bfloat16 for AVX-512 with BF16.
//
// The assembly is generated: go run ./_asm.
package kernels
