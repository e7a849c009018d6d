package tokencache

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"unsafe"

	"ft/dataset"
	"ft/weights"
)

// A file is a header, the lengths of the sections, and the sections, one behind the other, each padded to 8 bytes: meta (JSON), ids of the samples (text), a record for each
// sample, token ids and labels of all samples (int32), the split, rows of val and of test (JSON lines). All numbers are little-endian.
const (
	layout     = 1 // goes up when anything about the file changes
	magic      = "ft data\n"
	headerSize = 8 + 32 + 8 + 4 + 4 // magic, key, bytes of the file, checksum of lengths and of meta to records, checksum of the rest
	recordSize = 8 + 8 + 4 + 4      // key, end in tokens, end in the text of ids, prompt
)

// sections of a file.
const (
	metaSection = iota
	idSection
	recordSection
	tokenSection
	labelSection
	splitSection
	valSection
	testSection
	sections
)

// meta is the first section.
type meta struct {
	Train, Val int // samples
	Tokens     int // of train
	Rows       Rows
	Report     *dataset.Report
}

var (
	castagnoli   = crc32.MakeTable(crc32.Castagnoli)
	littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

	errForeign = errors.New("not whole, or of another key")
	errEndian  = errors.New("no cache on a big-endian machine")
)

// tableSize is the number of bytes of header and table of sections.
const tableSize = headerSize + 8*sections

// write writes the file.
func (d *Data) write(w io.Writer, k Key) error {
	if !littleEndian {
		return errEndian
	}
	s, err := d.sections()
	if err != nil {
		return err
	}
	head := append([]byte(magic), k.hash[:]...)
	total := uint64(tableSize)
	for _, b := range s {
		total += uint64(len(b) + pad(len(b)))
	}
	head = binary.LittleEndian.AppendUint64(head, total)
	var table []byte
	for _, b := range s {
		table = binary.LittleEndian.AppendUint64(table, uint64(len(b)))
	}
	index, bulk := crc32.Checksum(table, castagnoli), uint32(0)
	for i, b := range s {
		sum := &index
		if i >= tokenSection {
			sum = &bulk
		}
		*sum = crc32.Update(*sum, castagnoli, b)
		*sum = crc32.Update(*sum, castagnoli, make([]byte, pad(len(b))))
	}
	head = binary.LittleEndian.AppendUint32(head, index)
	head = binary.LittleEndian.AppendUint32(head, bulk)
	out := bufio.NewWriterSize(w, 1<<20)
	out.Write(head)
	out.Write(table)
	for _, b := range s {
		out.Write(b)
		out.Write(make([]byte, pad(len(b))))
	}
	return out.Flush() // has the first error of all writes
}

// pad is the number of bytes from n to the next multiple of 8.
func pad(n int) int { return -n & 7 }

// sections are the file's content.
func (d *Data) sections() (s [sections][]byte, err error) {
	if s[metaSection], err = json.Marshal(meta{d.Train.Len(), d.Val.Len(), d.Tokens, d.Rows, d.Report}); err != nil {
		return s, err
	}
	for _, sample := range slices.Concat(dataset.All(d.Train), dataset.All(d.Val)) {
		s[idSection] = append(s[idSection], sample.ID...)
		s[tokenSection] = append(s[tokenSection], asBytes(sample.IDs)...)
		s[labelSection] = append(s[labelSection], asBytes(sample.Labels)...)
		r := binary.LittleEndian.AppendUint64(s[recordSection], sample.Key)
		r = binary.LittleEndian.AppendUint64(r, uint64(len(s[tokenSection])/4))
		r = binary.LittleEndian.AppendUint32(r, uint32(len(s[idSection])))
		s[recordSection] = binary.LittleEndian.AppendUint32(r, uint32(sample.Prompt))
	}
	s[splitSection] = d.Split
	if s[valSection], err = d.val.lines(); err != nil {
		return s, err
	}
	s[testSection], err = d.test.lines()
	return s, err
}

// openData maps a file and checks it against its key and the checksum of its index.
func openData(path string, k Key) (*Data, error) {
	if !littleEndian {
		return nil, errEndian
	}
	m, err := weights.Map(path)
	if err != nil {
		return nil, err
	}
	d, err := readData(m.Bytes, k)
	if err != nil {
		m.Close()
		return nil, err
	}
	d.mapping, d.path = m, path
	return d, nil
}

func readData(file []byte, k Key) (*Data, error) {
	if len(file) < tableSize || string(file[:len(magic)]) != magic || !bytes.Equal(file[len(magic):len(magic)+32], k.hash[:]) {
		return nil, errForeign
	}
	head := file[len(magic)+32:]
	if binary.LittleEndian.Uint64(head) != uint64(len(file)) {
		return nil, errForeign
	}
	var s [sections][]byte
	var start [sections + 1]uint64
	start[0] = tableSize
	for i := range s {
		n := binary.LittleEndian.Uint64(file[headerSize+8*i:])
		at := start[i]
		if n > uint64(len(file))-at {
			return nil, errForeign
		}
		s[i] = file[at : at+n : at+n]
		if start[i+1] = at + n + uint64(pad(int(n))); start[i+1] > uint64(len(file)) {
			return nil, errForeign
		}
	}
	bulk := start[tokenSection]
	if crc32.Checksum(file[headerSize:bulk], castagnoli) != binary.LittleEndian.Uint32(head[8:]) {
		return nil, errForeign
	}
	d, err := toData(s)
	if err != nil {
		return nil, err
	}
	d.bulk, d.sum = int64(bulk), binary.LittleEndian.Uint32(head[12:])
	return d, nil
}

// toData makes Data of a file's sections.
func toData(s [sections][]byte) (*Data, error) {
	var m meta
	if err := json.Unmarshal(s[metaSection], &m); err != nil {
		return nil, err
	}
	all, ok := newView(s)
	if !ok || m.Report == nil || m.Train < 0 || m.Val < 0 || m.Train+m.Val != all.Len() {
		return nil, errForeign
	}
	return &Data{
		Train: all.part(0, m.Train), Val: all.part(m.Train, all.Len()), Tokens: m.Tokens, Rows: m.Rows, Report: m.Report, Split: s[splitSection],
		val: answered{json: s[valSection], n: m.Rows.Val}, test: answered{json: s[testSection], n: m.Rows.Test},
	}, nil
}

// asBytes is v as the bytes that it is made of.
func asBytes(v []int32) []byte {
	if len(v) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), 4*len(v))
}

// asInts is b as int32; b is aligned and never written.
func asInts(b []byte) []int32 {
	if len(b) < 4 {
		return nil
	}
	return unsafe.Slice((*int32)(unsafe.Pointer(&b[0])), len(b)/4)
}
