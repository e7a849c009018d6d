package tokencache

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"ft/dataset"
)

// memoryBytes is how much Data a Builder keeps in memory; a variable for tests.
var memoryBytes = 32 << 20

// Builder makes Data out of samples as they come. Beyond memoryBytes it writes them to a file.
type Builder struct {
	out          spool
	ids, records []byte
	meta         meta
	at           uint64 // tokens so far
	head         head
}

// NewBuilder makes a Builder that may write a file in a folder. An empty name, or a folder in which nothing can be made, leaves all in memory.
func NewBuilder(dir string) *Builder {
	if !littleEndian {
		dir = "" // a file is mapped as it is
	}
	b := &Builder{out: spool{dir: dir}}
	b.out.Write(make([]byte, tableSize)) // the head comes at the end
	b.out.sum = 0
	return b
}

// Train adds a sample to train on; all of them come before those of Val.
func (b *Builder) Train(s dataset.Sample) error {
	b.meta.Train++
	b.meta.Tokens += len(s.IDs)
	return b.add(s)
}

// Val adds a sample of the validation part.
func (b *Builder) Val(s dataset.Sample) error {
	b.meta.Val++
	return b.add(s)
}

func (b *Builder) add(s dataset.Sample) error {
	b.out.Write(asBytes(s.IDs))
	if _, err := b.out.Write(asBytes(s.Labels)); err != nil {
		return err
	}
	b.at += uint64(len(s.IDs))
	b.ids = append(b.ids, s.ID...)
	if uint64(len(b.ids)) > math.MaxUint32 {
		return fmt.Errorf("the ids of all samples are longer than %d bytes", uint32(math.MaxUint32))
	}
	b.records = binary.LittleEndian.AppendUint64(b.records, s.Key)
	b.records = binary.LittleEndian.AppendUint64(b.records, b.at)
	b.records = binary.LittleEndian.AppendUint32(b.records, uint32(len(b.ids)))
	b.records = binary.LittleEndian.AppendUint32(b.records, uint32(s.Prompt))
	return nil
}

// Data ends the building. The parts are those that the samples are of.
func (b *Builder) Data(parts dataset.Parts, report *dataset.Report) (*Data, error) {
	b.meta.Rows = Rows{parts.Train.Len(), parts.Val.Len(), parts.Test.Len()}
	b.meta.Report = report
	about, err := json.Marshal(b.meta)
	if err != nil {
		return nil, err
	}
	b.end(tokenSection)
	if err := parts.WriteManifest(&b.out, true); err != nil {
		return nil, err
	}
	b.end(splitSection)
	for i, rows := range []dataset.View{parts.Val, parts.Test} {
		if err := b.rows(rows); err != nil {
			return nil, err
		}
		b.end(valSection + i)
	}
	b.head.bulk = b.out.sum
	for i, section := range [][]byte{about, b.ids, b.records} {
		b.out.Write(section)
		b.end(metaSection + i)
	}
	b.head.total = uint64(b.out.n)
	sum := crc32.Checksum(b.head.table(), castagnoli)
	for _, section := range [][]byte{about, b.ids, b.records} {
		sum = crc32.Update(sum, castagnoli, section)
		sum = crc32.Update(sum, castagnoli, make([]byte, pad(uint64(len(section)))))
	}
	b.head.index = sum
	b.ids, b.records = nil, nil
	return b.out.data(b.head)
}

// rows writes rows as JSON lines.
func (b *Builder) rows(rows dataset.View) error {
	for r, err := range rows.All() {
		if err != nil {
			return err
		}
		line, err := json.Marshal(&r)
		if err != nil {
			return err
		}
		if _, err := b.out.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// end pads the section that was written last and notes its length.
func (b *Builder) end(section int) {
	at := uint64(tableSize)
	for _, n := range b.head.lengths[:section] {
		at += n + uint64(pad(n))
	}
	n := uint64(b.out.n) - at
	b.head.lengths[section] = n
	b.out.Write(make([]byte, pad(n)))
}

// Close gives back what is left of a building that did not come to its end; else it does nothing.
func (b *Builder) Close() { b.out.remove() }

// spool is bytes in memory, or from some number on in a file.
type spool struct {
	dir    string // for the file; empty for none
	memory []byte
	file   *os.File
	buffer *bufio.Writer // in front of the file
	n      int64
	sum    uint32 // checksum
	err    error  // the first
}

// Write writes behind what is there. After an error it does nothing but return it again.
func (s *spool) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	s.n += int64(len(p))
	s.sum = crc32.Update(s.sum, castagnoli, p)
	if s.file != nil {
		s.fail(s.buffer.Write(p))
		return len(p), s.err
	}
	s.memory = append(s.memory, p...)
	if len(s.memory) <= memoryBytes || s.dir == "" {
		return len(p), nil
	}
	if !s.create() {
		s.dir = "" // memory, then
		return len(p), nil
	}
	s.buffer = bufio.NewWriterSize(s.file, 1<<20)
	s.fail(s.buffer.Write(s.memory))
	s.memory = nil
	return len(p), s.err
}

// create makes the file, with a name by which what a crash leaves is found.
func (s *spool) create() bool {
	if os.MkdirAll(s.dir, 0o777) != nil {
		return false
	}
	for range 100 { // not os.CreateTemp: that makes files only their owner can read, and this one may stay
		var err error
		name := filepath.Join(s.dir, fmt.Sprintf(".build.%08x.tmp", rand.Uint32()))
		s.file, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if err == nil {
			return true
		}
		if !errors.Is(err, os.ErrExist) {
			break
		}
	}
	s.file = nil
	return false
}

func (s *spool) fail(_ int, err error) {
	if err != nil && s.err == nil {
		s.err = fmt.Errorf("the tokens of all samples cannot be written: %w; let FT_CACHE_DIR name a folder with more room", err)
	}
}

// data makes Data of what was written and puts the head in its place. The file is the Data's from then on.
func (s *spool) data(h head) (*Data, error) {
	if s.err != nil {
		return nil, s.err
	}
	if s.file == nil {
		copy(s.memory, h.bytes())
		return readData(s.memory, h.key)
	}
	s.fail(0, s.buffer.Flush())
	s.fail(s.file.WriteAt(h.bytes(), 0))
	if s.err != nil {
		return nil, s.err
	}
	d, err := mapData(s.file, s.file.Name(), h.key)
	if err != nil {
		return nil, err
	}
	d.temporary, s.file = s.file.Name(), nil
	return d, nil
}

// remove removes the file unless it is some Data's.
func (s *spool) remove() {
	if s.file != nil {
		s.file.Close()
		os.Remove(s.file.Name())
		s.file = nil
	}
}
