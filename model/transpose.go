package model

import (
	"encoding/binary"

	"ft/internal/kernels"
)

// transposeBlock is how many rows and columns are exchanged at a time: few enough for the lines that they touch to stay in the cache.
const transposeBlock = 32

// transpose is a matrix [rows,cols] of values of size bytes with rows and columns exchanged.
func transpose(data []byte, rows, cols, size int) []byte {
	out := make([]byte, len(data))
	move := func(to, from int) { copy(out[to*size:(to+1)*size], data[from*size:]) }
	switch size { // values of these sizes are moved in one instruction
	case 2:
		move = func(to, from int) {
			binary.NativeEndian.PutUint16(out[2*to:], binary.NativeEndian.Uint16(data[2*from:]))
		}
	case 4:
		move = func(to, from int) {
			binary.NativeEndian.PutUint32(out[4*to:], binary.NativeEndian.Uint32(data[4*from:]))
		}
	}
	kernels.Parallel((cols+transposeBlock-1)/transposeBlock, func(i int) {
		for r0 := 0; r0 < rows; r0 += transposeBlock {
			for c := i * transposeBlock; c < min(cols, (i+1)*transposeBlock); c++ {
				for r := r0; r < min(rows, r0+transposeBlock); r++ {
					move(c*rows+r, r*cols+c)
				}
			}
		}
	})
	return out
}
