package tokencache

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"unsafe"

	"ft/dataset"
	"ft/weights"
)

// A file is a header, the lengths of the sections, and the sections, one behind the other, each padded to 8 bytes: of each sample its token ids and then its labels (int32), the
// split, rows of val and of test (JSON lines), meta (JSON), ids of the samples (text), a record for each sample. What grows with the text comes first, so that it
// is written as it is made. All numbers are little-endian.
const (
	layout     = 2 // goes up when anything about the file changes
	magic      = "ft data\n"
	headerSize = 8 + 32 + 8 + 4 + 4 // magic, key, bytes of the file, checksum of lengths and of meta to records, checksum of the rest
	recordSize = 8 + 8 + 4 + 4      // key, end in tokens, end in the text of ids, prompt
)

// sections of a file.
const (
	tokenSection = iota
	splitSection
	valSection
	testSection
	metaSection
	idSection
	recordSection
	sections
)

// meta is what the file says of all samples and rows.
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

// head is the begin of a file, up to its first section.
type head struct {
	key         [32]byte
	total       uint64
	index, bulk uint32 // checksums
	lengths     [sections]uint64
}

func (h *head) bytes() []byte {
	b := append([]byte(magic), h.key[:]...)
	b = binary.LittleEndian.AppendUint64(b, h.total)
	b = binary.LittleEndian.AppendUint32(b, h.index)
	b = binary.LittleEndian.AppendUint32(b, h.bulk)
	return append(b, h.table()...)
}

func (h *head) table() []byte {
	var b []byte
	for _, n := range h.lengths {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	return b
}

// readHead reads the begin of a file; false if it is none.
func readHead(file []byte) (h head, ok bool) {
	if len(file) < tableSize || string(file[:len(magic)]) != magic {
		return h, false
	}
	b := file[len(magic):]
	b = b[copy(h.key[:], b):]
	h.total, h.index, h.bulk = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint32(b[8:]), binary.LittleEndian.Uint32(b[12:])
	for i := range h.lengths {
		h.lengths[i] = binary.LittleEndian.Uint64(file[headerSize+8*i:])
	}
	return h, true
}

// pad is the number of bytes from n to the next multiple of 8.
func pad(n uint64) int { return int(-n & 7) }

// write writes the data as the file of a key.
func (d *Data) write(w io.Writer, k Key) error {
	if !littleEndian {
		return errEndian
	}
	h := d.head
	h.key = k.hash
	if _, err := w.Write(h.bytes()); err != nil {
		return err
	}
	_, err := io.Copy(w, d.section(tableSize, int64(h.total)))
	return err
}

// openData maps a file and checks it against its key and the checksum of its index.
func openData(path string, k Key) (*Data, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	d, err := mapData(f, path, k.hash)
	if err != nil {
		f.Close()
	}
	return d, err
}

// mapData maps an open file, which Data closes.
func mapData(f *os.File, path string, key [32]byte) (*Data, error) {
	if !littleEndian {
		return nil, errEndian
	}
	m, err := weights.Map(path)
	if err != nil {
		return nil, err
	}
	d, err := readData(m.Bytes, key)
	if err != nil {
		m.Close()
		return nil, err
	}
	d.mapping, d.file = m, f
	return d, nil
}

// readData makes Data of a file's bytes.
func readData(file []byte, key [32]byte) (*Data, error) {
	h, ok := readHead(file)
	if !ok || !bytes.Equal(h.key[:], key[:]) || h.total != uint64(len(file)) {
		return nil, errForeign
	}
	var s [sections][]byte
	at := uint64(tableSize)
	var index uint64 // where the index begins
	for i, n := range h.lengths {
		if i == metaSection {
			index = at
		}
		if n > h.total-at || uint64(pad(n)) > h.total-at-n {
			return nil, errForeign
		}
		s[i] = file[at : at+n : at+n]
		at += n + uint64(pad(n))
	}
	sum := crc32.Update(crc32.Checksum(h.table(), castagnoli), castagnoli, file[index:])
	if at != h.total || sum != h.index {
		return nil, errForeign
	}
	d, err := toData(s)
	if err != nil {
		return nil, err
	}
	d.bytes, d.head, d.index = file, h, int64(index)
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
		Train: all.part(0, m.Train), Val: all.part(m.Train, all.Len()), Tokens: m.Tokens, Rows: m.Rows, Report: m.Report,
		val: answered{s[valSection], m.Rows.Val}, test: answered{s[testSection], m.Rows.Test},
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
