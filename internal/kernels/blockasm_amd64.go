//go:build !purego

package kernels

// The functions of the generated assembly over blocks. Counts are positive; groups are 32 columns, distances (ld,
// rowStep, groupStep) are in float32. Those named BF16 need AVX512_BF16, the other AVX-512 ones F, BW, DQ and VL.

//go:noescape
func storeF32AVX512(dst, c *float32, panels int, alpha float32)

//go:noescape
func storeBF16AVX512(dst, c *float32, panels int, alpha float32)

//go:noescape
func storeF32AVX2(dst, c *float32, panels int, alpha float32)

//go:noescape
func siluF32AVX512(gate, up, act, cg, cu *float32, panels int)

//go:noescape
func siluBF16AVX512(gate, up, act, cg, cu *float32, panels int)

//go:noescape
func siluF32AVX2(gate, up, act, cg, cu *float32, panels int)

//go:noescape
func siluGradF32AVX512(dgate, dup, act, gate, up, c *float32, panels int)

//go:noescape
func siluGradBF16AVX512(dgate, dup, act, gate, up, c *float32, panels int)

//go:noescape
func siluGradF32AVX2(dgate, dup, act, gate, up, c *float32, panels int)

//go:noescape
func geluF32AVX512(gate, up, act, cg, cu *float32, panels int)

//go:noescape
func geluBF16AVX512(gate, up, act, cg, cu *float32, panels int)

//go:noescape
func geluF32AVX2(gate, up, act, cg, cu *float32, panels int)

//go:noescape
func geluGradF32AVX512(dgate, dup, act, gate, up, c *float32, panels int)

//go:noescape
func geluGradBF16AVX512(dgate, dup, act, gate, up, c *float32, panels int)

//go:noescape
func geluGradF32AVX2(dgate, dup, act, gate, up, c *float32, panels int)

//go:noescape
func storeRowsAVX512(dst *float32, ld int, c *float32, rows, panels int, alpha float32)

//go:noescape
func addRowsAVX512(dst, src *float32, ld int, c *float32, rows, panels int, alpha float32)

//go:noescape
func storeRowsAVX2(dst *float32, ld int, c *float32, rows, panels int, alpha float32)

//go:noescape
func addRowsAVX2(dst, src *float32, ld int, c *float32, rows, panels int, alpha float32)

//go:noescape
func normRowF32AVX512(dst, xhat, x, gain *float32, groups int, inv float32)

//go:noescape
func normRowBF16AVX512(dst, xhat, x, gain *float32, groups int, inv float32)

//go:noescape
func normRowF32AVX2(dst, xhat, x, gain *float32, groups int, inv float32)

//go:noescape
func normBackSumF32AVX512(dh, gain, xhat *float32, groups int) (sum float32)

//go:noescape
func normBackSumBF16AVX512(dh, gain, xhat *float32, groups int) (sum float32)

//go:noescape
func normBackSumF32AVX2(dh, gain, xhat *float32, groups int) (sum float32)

//go:noescape
func normBackRowF32AVX512(dx, dh, gain, xhat *float32, groups int, inv, mean float32, add bool)

//go:noescape
func normBackRowBF16AVX512(dx, dh, gain, xhat *float32, groups int, inv, mean float32, add bool)

//go:noescape
func normBackRowF32AVX2(dx, dh, gain, xhat *float32, groups int, inv, mean float32, add bool)

//go:noescape
func packF32AVX512(dst, src *float32, ld, rows, groups int, alpha float32)

//go:noescape
func packBF16AVX512(dst, src *float32, ld, rows, groups int, alpha float32)

//go:noescape
func packF32AVX2(dst, src *float32, ld, rows, groups int, alpha float32)

//go:noescape
func squaresAVX512(x *float32, groups int) (sum float32)

//go:noescape
func ropeAVX512(x *float32, heads, half int, cos, sin *float32, sign uint32)

//go:noescape
func squaresAVX2(x *float32, groups int) (sum float32)

//go:noescape
func ropeAVX2(x *float32, heads, half int, cos, sin *float32, sign uint32)

//go:noescape
func dropF32AVX512(dst, src *float32, keys *uint64, rows, groups int, limit uint32, scale float32)

//go:noescape
func dropBF16AVX512(dst, src *float32, keys *uint64, rows, groups int, limit uint32, scale float32)

//go:noescape
func dropAddAVX512(dst *float32, ld int, src *float32, rowStep, groupStep int, keys *uint64, rows, groups int, limit uint32, scale float32)

//go:noescape
func softmaxStepF32AVX512(tiles, c *float32, panels int, rows *SoftmaxRows, scale float32)

//go:noescape
func probsF32AVX512(right, c *float32, panels int, lse *float32, scale float32)

//go:noescape
func scoreGradF32AVX512(tiles, right, dp, p *float32, panels int, delta *float32, scale float32)

//go:noescape
func softmaxStepBF16AVX512(tiles, c *float32, panels int, rows *SoftmaxRows, scale float32)

//go:noescape
func probsBF16AVX512(right, c *float32, panels int, lse *float32, scale float32)

//go:noescape
func scoreGradBF16AVX512(tiles, right, dp, p *float32, panels int, delta *float32, scale float32)

//go:noescape
func softmaxStepF32AVX2(tiles, c *float32, panels int, rows *SoftmaxRows, scale float32)

//go:noescape
func probsF32AVX2(right, c *float32, panels int, lse *float32, scale float32)

//go:noescape
func scoreGradF32AVX2(tiles, right, dp, p *float32, panels int, delta *float32, scale float32)

//go:noescape
func fenceAVX512(c *float32, base int, first, seen *int32)

//go:noescape
func softmaxEndAVX512(rows *SoftmaxRows, lse *float32)

//go:noescape
func scaleRowsAVX512(c *float32, panels int, by *float32)

//go:noescape
func fenceAVX2(c *float32, base int, first, seen *int32)

//go:noescape
func softmaxEndAVX2(rows *SoftmaxRows, lse *float32)

//go:noescape
func scaleRowsAVX2(c *float32, panels int, by *float32)

//go:noescape
func cappedAVX512(c *float32, groups int, inner, cap float32)

//go:noescape
func capGradAVX512(ds, y *float32, groups int, scale, inv float32)

//go:noescape
func cappedAVX2(c *float32, groups int, inner, cap float32)

//go:noescape
func capGradAVX2(ds, y *float32, groups int, scale, inv float32)

//go:noescape
func adamWAVX512(w, dw, m, v *float32, groups int, c *AdamW)

//go:noescape
func sumSquaresAVX512(x *float32, groups int) (sum float64)

//go:noescape
func adamWAVX2(w, dw, m, v *float32, groups int, c *AdamW)

//go:noescape
func sumSquaresAVX2(x *float32, groups int) (sum float64)
