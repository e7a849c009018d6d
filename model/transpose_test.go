package model

import "testing"

func TestTranspose(t *testing.T) {
	for _, size := range []int{1, 2, 4, 8} {
		for _, shape := range [][2]int{{1, 1}, {3, 70}, {64, 33}, {100, 1}} {
			rows, cols := shape[0], shape[1]
			data := make([]byte, rows*cols*size)
			for i := range data {
				data[i] = byte(i*7 + i/251)
			}
			out := transpose(data, rows, cols, size)
			for i := range data {
				v, b := i/size, i%size
				if out[(v%cols*rows+v/cols)*size+b] != data[i] {
					t.Fatalf("[%d,%d] of %d bytes: byte %d", rows, cols, size, i)
				}
			}
		}
	}
}
