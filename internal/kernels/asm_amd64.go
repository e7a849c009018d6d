//go:build !purego

package kernels

// The functions of the generated assembly (go run ./_asm). Pointers need no alignment. Counts are positive;
// those of elementwise functions are multiples of 16.

//go:generate go run ./_asm

// The strip kernels compute `parts` groups of 8 rows (AVX2: 4), those named half the first 16 columns of panels, in groups
// of 16 rows (AVX2: 4). Those named BF16 need AVX512_BF16, as do the functions that round.

//go:noescape
func stripAVX512(c, a, b *float32, blocks, panels, stride, parts int, add bool)

//go:noescape
func halfAVX512(c, a, b *float32, blocks, panels, stride, parts int, add bool)

//go:noescape
func stripAVX2(c, a, b *float32, blocks, panels, stride, parts int, add bool)

//go:noescape
func halfAVX2(c, a, b *float32, blocks, panels, stride, parts int, add bool)

//go:noescape
func stripBF16AVX512(c, a, b *float32, blocks, panels, stride, parts int, add bool)

//go:noescape
func halfBF16AVX512(c, a, b *float32, blocks, panels, stride, parts int, add bool)

//go:noescape
func peakF32AVX512(x *float32, n int)

//go:noescape
func peakF32AVX2(x *float32, n int)

//go:noescape
func peakBF16AVX512(x *float32, n int)

//go:noescape
func transpose16AVX512(dst, src *float32, dstStride, srcStride, count, dstStep, srcStep int)

//go:noescape
func transpose16AVX2(dst, src *float32, dstStride, srcStride, count, dstStep, srcStep int)

//go:noescape
func roundBF16(dst, src *float32, blocks, step int)

//go:noescape
func pairsBF16(dst, even, odd *float32, blocks, step int)

//go:noescape
func interleaveBF16(dst, src *float32, count, dstStep, srcStep int)

//go:noescape
func dotsF32AVX512(dst, a, b *float32, blocks int)

// dotsBF16AVX512 needs AVX512_BF16.
//
//go:noescape
func dotsBF16AVX512(dst, a, b *float32, blocks int)

//go:noescape
func dotsF32AVX2(dst, a, b *float32, blocks int)

// prefetchLines prefetches consecutive 64-byte lines. Addresses past the end of memory do no harm.
//
//go:noescape
func prefetchLines(src *byte, lines int)

// prefetchRows prefetches the first lines of rows that lie step words apart.
//
//go:noescape
func prefetchRows(src *float32, step, rows, lines int)

//go:noescape
func expSumAVX512(dst, x *float32, n int, sub float32) (sum float32)

//go:noescape
func swigluAVX512(dst, gate, up *float32, n int)

//go:noescape
func dotAVX512(a, b *float32, n int) (sum float32)

//go:noescape
func axpyAVX512(dst, x *float32, n int, a float32)

//go:noescape
func expSumAVX2(dst, x *float32, n int, sub float32) (sum float32)

//go:noescape
func swigluAVX2(dst, gate, up *float32, n int)

//go:noescape
func dotAVX2(a, b *float32, n int) (sum float32)

//go:noescape
func axpyAVX2(dst, x *float32, n int, a float32)

//go:noescape
func scaleAVX512(x *float32, n int, a float32)

// maximumAVX512 writes 16 values whose maximum is that of x.
//
//go:noescape
func maximumAVX512(tops, x *float32, n int)

//go:noescape
func scaleAVX2(x *float32, n int, a float32)

// maximumAVX2 writes 16 values whose maximum is that of x.
//
//go:noescape
func maximumAVX2(tops, x *float32, n int)
