package merge

import (
	"encoding/binary"

	"ft/internal/quant"
	"ft/weights"
)

// writeRounded writes the base's values rounded to the output type, and shaken unless draw is 0.
func (m *merger) writeRounded(w *weights.Writer, it item, draw int) error {
	values, _, err := m.exact(it)
	if err != nil {
		return err
	}
	data := make([]byte, it.typ.RowBytes(len(values)))
	quant.Quantize(data, it.typ, values)
	if draw > 0 {
		shake(data, it.typ, uint64(draw))
	}
	_, err = w.Write(data)
	return err
}

// shake moves one value in twelve by one step of its type, up or down: an error of the variance that rounding to nearest has,
// step²/12. The choice is a fixed function of the draw and the position.
func shake(data []byte, typ quant.Type, draw uint64) {
	choose := func(i int) (move bool, up bool) {
		h := (uint64(i)<<8 + draw) * 0x9e3779b97f4a7c15
		h ^= h >> 29
		h *= 0xbf58476d1ce4e5b9
		h ^= h >> 32
		return h%12 == 0, h>>40&1 == 0
	}
	switch typ {
	case quant.F16, quant.BF16:
		infinity := uint16(0x7c00)
		if typ == quant.BF16 {
			infinity = 0x7f80
		}
		for i := 0; i+1 < len(data); i += 2 {
			v := binary.LittleEndian.Uint16(data[i:])
			// Neighbours in magnitude have neighbouring bit patterns; zero and the largest value stay.
			if move, up := choose(i); move && v&0x7fff != 0 && v&0x7fff < infinity-1 {
				if up {
					v++
				} else {
					v--
				}
				binary.LittleEndian.PutUint16(data[i:], v)
			}
		}
	case quant.Q8_0:
		const block, scale = 34, 2
		for i := range data {
			if i%block < scale {
				continue
			}
			if move, up := choose(i); move {
				if q := int8(data[i]); up && q < 127 {
					data[i] = byte(q + 1)
				} else if !up && q > -127 {
					data[i] = byte(q - 1)
				}
			}
		}
	}
}
