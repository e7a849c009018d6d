// Package kernels does the arithmetic: matrix products with frozen weights in their file's number type, and the steps of
// a decoder around them. Slices in, slices out; it knows nothing of models or the order of gradients.
//
// # Blocks
//
// Everything that a product touches is cut into blocks of 2,048 bytes, 32 rows of 64 bytes. 64 bytes are a line of the
// cache, a vector of AVX-512 and a row of an AMX tile: 16 values of float32 or 32 of bfloat16 (Precision.Width). A result of
// 32×32 is four AMX tiles, the square that does most products for a load; AVX-512 and AVX2 do it in parts of 8×32 and 4×16.
// GGUF's formats have blocks of 32 values too. Both precisions have the same addresses, so one driver serves all.
//
//	A   Act        [strip][block][32 rows][Width]                activations; a strip is 32 tokens. Padding is zero
//	B   panels     [panel][block][16 k][32 n]                    float32; a panel is 32 columns
//	               [panel][block][2 halves][16 k pairs][16 n][2] bfloat16, as VDPBF16PS and TDPBF16PS read it
//	C   result     [panel][32 rows][32 columns] of float32       a block is 4,096 bytes
//
// Activations are kept in blocks between the stages of a layer: what one product writes the next reads without packing.
//
// # Products
//
// A Product is C [M,N] = the sum of its terms A·B, say x·Wᵀ and the u·Bᵀ of an adapter. A (Left) is an Act, perhaps under
// dropout, or float32 values; B (Operand) is a weight of any format, read as stored or transposed, float32 values, or
// an Act whose tokens are k. A Pair is a second sum for a sink that joins two (gate and up). The Sink takes C strip by strip
// while it is in the cache: to rows of float32, added to or transposed, or to the blocks of an Act, by way of an activation
// function or its gradient. The order of loops (task.go):
//
//	for each task: a range of panels and of strips                       on its thread
//	  pack the panels of all terms' B, dequantised: at most 512 KB       second-level cache, until the task ends
//	  for each strip of A, for each term
//	    for each chunk of 16 blocks of k                                 first-level cache: 32 KB of A, of a panel as much
//	      for each panel: C += A·B for all of the chunk (strip.go)       C in registers
//	  the sink takes the strip's C
//
// Weights come from memory once, whatever the number of tokens, and A once for each range of panels. Where so few panels would
// fit that rows of B would be read in short pieces, a task goes through k in slices, packs one slice at a time and keeps the C
// of all its strips. A kernel computes the rows that a strip has and, of a last panel with at most 16 columns, half.
//
// Attention puts the same pieces together to something of its own (Tiles). Products of few rows, which decoding has, pack
// nothing (gemv.go): weight rows are read once, dequantised in registers or a group at a time, and multiplied with all
// inputs as dot products. A number format is described once, in _asm/dequant.go and superblocks.go, for its dequantisers and
// its products alike. What lies between products, on blocks of A ("tiles") and C, is blockOps (blockops.go).
//
// # Precision
//
// Sums are float32 always. F32 multiplies float32 values; BF16 rounds both sides to bfloat16, to nearest even, whose products
// are exact in float32. An instruction may take subnormal numbers for zero. HasBF16 says where bfloat16 is faster.
//
// # Backends
//
//	            products in bfloat16  products in float32  steps on blocks    CPU
//	amx         AMX tiles             AVX-512              AVX-512            AMX_BF16 and the next line's; the system's leave
//	avx512bf16  VDPBF16PS             AVX-512              AVX-512            AVX512_BF16 and the next line's
//	avx512      Go                    AVX-512              AVX-512            AVX-512 F, BW, DQ, VL and the next line's
//	avx2        Go                    AVX2                 AVX2, bfloat16 Go  AVX2, FMA, F16C
//	generic     Go                    Go                   Go                 any, and with -tags purego
//
// The Go code is the specification. A self-test at start compares every step of a backend with it (selftest.go) and leaves
// the backend out where they differ. The assembly is generated: go run ./_asm.
//
// # What results depend on
//
//   - Not on the number of threads: tasks split rows and columns, never a sum.
//   - An element of a product depends on its row of A, its column of B and the backend, bit for bit: k goes upward in one
//     chain, whatever the tasks, slices and chunks, the other rows and the place of the row. The same holds for rows of
//     MulRows, Norm, RoPE and softmaxes. Generation and packing rely on it.
//   - Dropout depends on a row's key and the feature (Mask).
//   - NaN and infinities pass through as IEEE arithmetic has it and stay in their row of A and column of B.
//   - Backends differ in rounding.
//
// Matrices are row-major but for what is in blocks. Shapes stand in brackets, sizes are in elements. Lengths are checked on
// entry; a wrong one is a programmer's error and panics. User input cannot cause it: readers of files check shapes before
// they build a Matrix.
package kernels
