package tokencache

import (
	"encoding/binary"

	"ft/dataset"
)

// view is samples in a mapped file, as a dataset.Set. Nothing is made of a sample before it is asked for, so a large file opens like a small
// one.
type view struct {
	records []byte
	text    []byte  // ids of samples, one behind the other
	tokens  []int32 // of each sample, and then its labels
	lo, hi  int     // the samples of the file that are this set's
}

// record is what the file says of a sample: where it ends, the one before it being where it begins.
type record struct {
	key     uint64
	end     uint64 // in tokens
	textEnd uint32
	prompt  uint32
}

// newView makes a view of all samples; false if the records do not fit the rest.
func newView(s [sections][]byte) (*view, bool) {
	v := &view{records: s[recordSection], text: s[idSection], tokens: asInts(s[tokenSection])}
	v.hi = len(v.records) / recordSize
	var last record
	for i := range v.hi {
		r := v.record(i)
		if r.end < last.end || r.textEnd < last.textEnd || uint64(r.prompt) > r.end-last.end {
			return nil, false
		}
		last = r
	}
	return v, 2*last.end == uint64(len(v.tokens)) && int(last.textEnd) == len(v.text)
}

// part is samples lo to hi of the file.
func (v *view) part(lo, hi int) *view {
	p := *v
	p.lo, p.hi = lo, hi
	return &p
}

func (v *view) record(i int) record {
	r := v.records[i*recordSize : (i+1)*recordSize]
	return record{
		key: binary.LittleEndian.Uint64(r), end: binary.LittleEndian.Uint64(r[8:]),
		textEnd: binary.LittleEndian.Uint32(r[16:]), prompt: binary.LittleEndian.Uint32(r[20:]),
	}
}

// Len is the number of samples.
func (v *view) Len() int { return v.hi - v.lo }

// Key is Sample.Key of sample i.
func (v *view) Key(i int) uint64 { return binary.LittleEndian.Uint64(v.records[(v.lo+i)*recordSize:]) }

// At is sample i. Its ids and labels are the file's.
func (v *view) At(i int) dataset.Sample {
	i += v.lo
	var from record
	if i > 0 {
		from = v.record(i - 1)
	}
	r := v.record(i)
	middle := from.end + r.end
	return dataset.Sample{
		ID: string(v.text[from.textEnd:r.textEnd]), Key: r.key, Prompt: int(r.prompt),
		IDs: v.tokens[2*from.end : middle : middle], Labels: v.tokens[middle : 2*r.end : 2*r.end],
	}
}
