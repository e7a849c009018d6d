// Package mecab cuts Japanese and Korean text into morphemes as MeCab 0.996 does (Kudo, Yamamoto and Matsumoto 2004, "Applying
// Conditional Random Fields to Japanese Morphological Analysis"), with a compiled dictionary that the user has. Words are all that it
// gives: parts of speech are not read. It knows the one thing that MeCab-ko adds: some morphemes cost more behind a space.
package mecab

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// maxGrouping is the number of characters from which a run of one kind is no unknown word, MeCab's default.
const maxGrouping = 24

// Dictionary is a folder of MeCab's compiled files: sys.dic, unk.dic, matrix.bin and char.bin.
type Dictionary struct {
	// Words is the number of entries.
	Words int

	system lexicon
	// unknown are the entries that unknown words take, by kind of character.
	unknown [][]entry
	kinds   []charInfo // by UTF-16 code
	space   charInfo
	// costs are those of neighbours: [left size × right size], the left one running fastest.
	costs    []byte
	leftSize int
	// behindSpace is what a morpheme behind a space costs more, by its part of speech; MeCab-ko's.
	behindSpace map[uint16]int64
}

// Open reads the dictionary of a folder. It must be in UTF-8.
func Open(dir string) (*Dictionary, error) {
	d := &Dictionary{}
	read := func(name string, parse func([]byte) error) error {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if err := parse(data); err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
		}
		return nil
	}
	var names []string
	var unknown lexicon
	for _, f := range []struct {
		name  string
		parse func([]byte) error
	}{
		{"sys.dic", d.system.parse},
		{"matrix.bin", d.parseMatrix},
		{"char.bin", func(data []byte) (err error) { names, err = d.parseKinds(data); return err }},
		{"unk.dic", unknown.parse},
		{"dicrc", d.parseSettings},
	} {
		if err := read(f.name, f.parse); err != nil {
			return nil, err
		}
	}
	d.Words = d.system.words
	d.space = d.kind(' ')
	for _, name := range names {
		var entries []entry
		unknown.prefixes([]byte(name), func(n int, found []entry) {
			if n == len(name) {
				entries = found
			}
		})
		d.unknown = append(d.unknown, entries)
	}
	for _, k := range d.kinds {
		if int(k.kind()) >= len(d.unknown) {
			return nil, fmt.Errorf("%s: a character of kind %d, but there are %d", filepath.Join(dir, "char.bin"), k.kind(), len(d.unknown))
		}
	}
	return d, nil
}

// entry is a morpheme of the dictionary without its text.
type entry struct {
	left, right, pos uint16
	cost             int16
}

// lexicon is a file of entries, found by a double array (Aoe 1989, in the form of Darts).
type lexicon struct {
	words   int
	units   []byte // pairs of base and check
	entries []byte
}

// Sizes in a file of entries.
const (
	lexiconMagic  = 0xef718f77
	lexiconHeader = 72
	entrySize     = 16
	unitSize      = 8
)

func (l *lexicon) parse(data []byte) error {
	if len(data) < lexiconHeader {
		return fmt.Errorf("%d bytes are no dictionary of MeCab", len(data))
	}
	at := func(i int) int { return int(binary.LittleEndian.Uint32(data[4*i:])) }
	if uint32(at(0))^lexiconMagic != uint32(len(data)) {
		return fmt.Errorf("no dictionary of MeCab, or one that is cut off")
	}
	if v := at(1); v != 102 {
		return fmt.Errorf("version %d of MeCab's dictionaries, expected 102", v)
	}
	charset, _, _ := bytes.Cut(data[40:lexiconHeader], []byte{0})
	if name := strings.ToLower(strings.ReplaceAll(string(charset), "-", "")); name != "utf8" {
		return fmt.Errorf("the dictionary is in %q, expected UTF-8", charset)
	}
	l.words = at(3)
	units, entries := at(6), at(7)
	if units%unitSize != 0 || units < unitSize || entries%entrySize != 0 || lexiconHeader+units+entries > len(data) {
		return fmt.Errorf("tables of %d and %d bytes in a file of %d", units, entries, len(data))
	}
	l.units = data[lexiconHeader : lexiconHeader+units]
	l.entries = data[lexiconHeader+units : lexiconHeader+units+entries]
	return nil
}

// unit is a pair of the double array; beyond it one that nothing matches.
func (l *lexicon) unit(i int64) (base int32, check uint32) {
	if i < 0 || (i+1)*unitSize > int64(len(l.units)) {
		return 0, math.MaxUint32
	}
	return int32(binary.LittleEndian.Uint32(l.units[i*unitSize:])), binary.LittleEndian.Uint32(l.units[i*unitSize+4:])
}

// prefixes calls yield for each word that text begins with, the shortest first, with its length and its entries.
func (l *lexicon) prefixes(text []byte, yield func(n int, found []entry)) {
	base, _ := l.unit(0)
	for i := 0; ; i++ {
		if end, check := l.unit(int64(base)); check == uint32(base) && end < 0 {
			yield(i, l.at(-int64(end)-1))
		}
		if i == len(text) {
			return
		}
		next, check := l.unit(int64(base) + int64(text[i]) + 1)
		if check != uint32(base) {
			return
		}
		base = next
	}
}

// at reads the entries that a value of the double array stands for: where they begin, and in the low byte their number.
func (l *lexicon) at(value int64) []entry {
	var out []entry
	for i := value >> 8; i < value>>8+value&0xff && (i+1)*entrySize <= int64(len(l.entries)); i++ {
		e := l.entries[i*entrySize:]
		out = append(out, entry{
			left: binary.LittleEndian.Uint16(e), right: binary.LittleEndian.Uint16(e[2:]), pos: binary.LittleEndian.Uint16(e[4:]),
			cost: int16(binary.LittleEndian.Uint16(e[6:])),
		})
	}
	return out
}

func (d *Dictionary) parseMatrix(data []byte) error {
	if len(data) < 4 {
		return fmt.Errorf("%d bytes", len(data))
	}
	left, right := int(binary.LittleEndian.Uint16(data)), int(binary.LittleEndian.Uint16(data[2:]))
	if len(data) != 4+2*left*right {
		return fmt.Errorf("%d bytes for %d × %d costs", len(data), left, right)
	}
	d.leftSize, d.costs = left, data[4:]
	return nil
}

// cost is that of r behind a morpheme with the right attribute left. Attributes beyond the table, which only files that do not belong
// together have, cost nothing.
func (d *Dictionary) cost(left uint16, r entry) int64 {
	i := 2 * (int(left) + d.leftSize*int(r.left))
	if i+2 > len(d.costs) {
		return int64(r.cost)
	}
	return int64(int16(binary.LittleEndian.Uint16(d.costs[i:]))) + int64(r.cost)
}

// charInfo says of a character which kinds it is of (18 bits), its own kind (8), how long unknown words of that kind may be (4), whether a
// run of it is one, and whether unknown words are looked for where there are known ones.
type charInfo uint32

func (c charInfo) kind() uint8            { return uint8(c >> 18) }
func (c charInfo) length() int            { return int(c >> 26 & 0xf) }
func (c charInfo) group() bool            { return c>>30&1 != 0 }
func (c charInfo) invoke() bool           { return c>>31 != 0 }
func (c charInfo) shares(o charInfo) bool { return c&o&(1<<18-1) != 0 }

func (d *Dictionary) parseKinds(data []byte) ([]string, error) {
	const nameSize, characters = 32, 0xffff
	if len(data) < 4 {
		return nil, fmt.Errorf("%d bytes", len(data))
	}
	n := int(binary.LittleEndian.Uint32(data))
	if n > 1<<8 || len(data) != 4+n*nameSize+4*characters {
		return nil, fmt.Errorf("%d bytes for %d kinds of characters", len(data), n)
	}
	var names []string
	for i := range n {
		name, _, _ := bytes.Cut(data[4+i*nameSize:][:nameSize], []byte{0})
		names = append(names, string(name))
	}
	for table := data[4+n*nameSize:]; len(table) > 0; table = table[4:] {
		d.kinds = append(d.kinds, charInfo(binary.LittleEndian.Uint32(table)))
	}
	return names, nil
}

func (d *Dictionary) kind(r rune) charInfo {
	if int(r) >= len(d.kinds) {
		r = 0 // as MeCab sees what is beyond 16 bits
	}
	return d.kinds[r]
}

// parseSettings reads from dicrc what MeCab-ko adds to it.
func (d *Dictionary) parseSettings(data []byte) error {
	for line := range strings.Lines(string(data)) {
		key, value, _ := strings.Cut(line, "=")
		if strings.TrimSpace(key) != "left-space-penalty-factor" {
			continue
		}
		d.behindSpace = map[uint16]int64{}
		for pair := range slices.Chunk(strings.Split(strings.TrimSpace(value), ","), 2) {
			pos, err := strconv.ParseUint(pair[0], 10, 16)
			if err != nil || len(pair) < 2 {
				return fmt.Errorf("left-space-penalty-factor: expected pairs of numbers, got %q", strings.Join(pair, ","))
			}
			cost, err := strconv.ParseInt(pair[1], 10, 32)
			if err != nil {
				return fmt.Errorf("left-space-penalty-factor: expected pairs of numbers, got %q", strings.Join(pair, ","))
			}
			d.behindSpace[uint16(pos)] = cost
		}
	}
	return nil
}
