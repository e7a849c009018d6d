package kernels

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"unsafe"

	"ft/internal/quant"
)

// Matrix is a frozen weight [Rows,Cols] (= [out,in]) in its file's number type, row-major. Data is usually
// a read-only mapping of any alignment and is never written. A Matrix made by FromFloat32 or NewMatrix may
// be copied, and its Perm set, but its other fields must not change.
type Matrix struct {
	Rows, Cols int
	Type       quant.Type
	Data       []byte
	Perm       []int32 // logical row r is stored row Perm[r]; nil is the identity

	floats   []float32           // Data as values, where memory allows that view
	replaced map[int32][]float32 // logical rows that are these values instead
}

// NewMatrix describes a weight [rows,cols] stored in data as type t. It returns an error if ft cannot read
// the type, a row is not whole blocks, or data has not exactly the size.
func NewMatrix(rows, cols int, t quant.Type, data []byte) (*Matrix, error) {
	switch {
	case !t.Known():
		return nil, fmt.Errorf("kernels: matrix [%d,%d]: unsupported number format %v", rows, cols, t)
	case rows < 0 || cols < 0:
		return nil, fmt.Errorf("kernels: matrix [%d,%d]: negative size", rows, cols)
	case cols%t.Block() != 0:
		return nil, fmt.Errorf("kernels: matrix [%d,%d]: %d columns are not whole %v blocks of %d", rows, cols, cols, t, t.Block())
	case cols > math.MaxInt/8:
		return nil, fmt.Errorf("kernels: matrix [%d,%d]: rows too long", rows, cols)
	}
	row := t.RowBytes(cols)
	if row > 0 && (rows > math.MaxInt/row || rows*row != len(data)) || row == 0 && len(data) != 0 {
		return nil, fmt.Errorf("kernels: matrix [%d,%d] of %v: %d bytes a row, but %d bytes in all", rows, cols, t, row, len(data))
	}
	m := &Matrix{Rows: rows, Cols: cols, Type: t, Data: data}
	if t == quant.F32 {
		m.floats = viewFloats(data)
	}
	return m, nil
}

// FromFloat32 is the F32 matrix [rows,cols] that shares w's memory: it sees later changes of w.
func FromFloat32(rows, cols int, w []float32) *Matrix {
	if rows < 0 || cols < 0 || len(w) != rows*cols {
		panic(fmt.Sprintf("kernels: FromFloat32: %d values for [%d,%d]", len(w), rows, cols))
	}
	m := &Matrix{Rows: rows, Cols: cols, Type: quant.F32, floats: w}
	if len(w) > 0 {
		m.Data = unsafe.Slice((*byte)(unsafe.Pointer(&w[0])), 4*len(w))
	}
	return m
}

// WithRows is m with the rows of rows [len(ids),Cols] in the place of its logical rows ids. It shares memory with both and sees
// later changes of rows.
func (m *Matrix) WithRows(ids []int32, rows []float32) *Matrix {
	if len(rows) != len(ids)*m.Cols {
		panic(fmt.Sprintf("kernels: WithRows: %d values for %d rows of [%d,%d]", len(rows), len(ids), m.Rows, m.Cols))
	}
	w := *m
	w.replaced = make(map[int32][]float32, len(ids))
	maps.Copy(w.replaced, m.replaced)
	for i, id := range ids {
		if id < 0 || int(id) >= m.Rows {
			panic(fmt.Sprintf("kernels: WithRows: row %d of [%d,%d]", id, m.Rows, m.Cols))
		}
		w.replaced[id] = rows[i*m.Cols : (i+1)*m.Cols]
	}
	return &w
}

// Slice is rows lo to hi of m, which shares m's memory. m must have no Perm.
func (m *Matrix) Slice(lo, hi int) *Matrix {
	if m.Perm != nil || lo < 0 || lo > hi || hi > m.Rows {
		panic(fmt.Sprintf("kernels: Slice: rows %d to %d of [%d,%d], permuted %v", lo, hi, m.Rows, m.Cols, m.Perm != nil))
	}
	w, row := *m, m.Type.RowBytes(m.Cols)
	w.Rows, w.Data, w.replaced = hi-lo, m.Data[lo*row:hi*row], nil
	if m.floats != nil {
		w.floats = m.floats[lo*m.Cols : hi*m.Cols]
	}
	for r, v := range m.replaced {
		if int(r) < lo || int(r) >= hi {
			continue
		}
		if w.replaced == nil {
			w.replaced = map[int32][]float32{}
		}
		w.replaced[r-int32(lo)] = v
	}
	return &w
}

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// viewFloats is data read as little-endian float32 in place, or nil where alignment or byte order forbid it.
func viewFloats(data []byte) []float32 {
	if len(data) < 4 || !littleEndian {
		return nil
	}
	p := unsafe.Pointer(&data[0])
	if uintptr(p)%4 != 0 {
		return nil
	}
	return unsafe.Slice((*float32)(p), len(data)/4)
}

// Row writes logical row r, dequantised, to dst [Cols].
func (m *Matrix) Row(dst []float32, r int) {
	if len(dst) != m.Cols || r < 0 || r >= m.Rows {
		panic(fmt.Sprintf("kernels: Row: row %d of [%d,%d] into %d values", r, m.Rows, m.Cols, len(dst)))
	}
	v := m.part(active.Load(), dst, r, 0, m.Cols)
	if len(v) > 0 && &v[0] != &dst[0] {
		copy(dst, v)
	}
}

// part is columns lo to hi of logical row r: a view where the values lie in memory as they are, else
// dequantised into tmp. lo and hi are block boundaries.
func (m *Matrix) part(be *backend, tmp []float32, r, lo, hi int) []float32 {
	if m.replaced != nil {
		if v, ok := m.replaced[int32(r)]; ok {
			return v[lo:hi]
		}
	}
	if m.floats == nil {
		tmp = tmp[:hi-lo]
		be.dequantize(tmp, m.Type, m.stored(r, lo, hi))
		return tmp
	}
	if m.Perm != nil {
		r = int(m.Perm[r])
	}
	return m.floats[r*m.Cols+lo : r*m.Cols+hi]
}

// stored is the bytes of columns lo to hi of logical row r.
func (m *Matrix) stored(r, lo, hi int) []byte {
	if m.Perm != nil {
		r = int(m.Perm[r])
	}
	row := m.Type.RowBytes(m.Cols)
	return m.Data[r*row : (r+1)*row][m.Type.RowBytes(lo):m.Type.RowBytes(hi)]
}

// check panics if the matrix is inconsistent.
func (m *Matrix) check(fn string) {
	if m.Perm != nil && len(m.Perm) != m.Rows {
		panic(fmt.Sprintf("kernels: %s: %d rows, but a row map of %d", fn, m.Rows, len(m.Perm)))
	}
	if !m.Type.Known() || m.Type.Block() == 0 || m.Cols%m.Type.Block() != 0 || len(m.Data) != m.Rows*m.Type.RowBytes(m.Cols) {
		panic(fmt.Sprintf("kernels: %s: inconsistent matrix [%d,%d] of %v with %d bytes", fn, m.Rows, m.Cols, m.Type, len(m.Data)))
	}
}
