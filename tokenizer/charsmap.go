package tokenizer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// charsMap is SentencePiece's "precompiled_charsmap": a double array (Aoe 1989, as in Darts-clone) that maps
// strings of bytes to places in a text of replacements, each ended by a zero byte.
type charsMap struct {
	units []uint32
	text  []byte
}

// longestCluster bounds the bytes of a grapheme cluster that is looked up as one.
const longestCluster = 5

func newCharsMap(p part) (func(string) string, error) {
	var o struct {
		partType
		Map []byte `json:"precompiled_charsmap"`
	}
	if err := p.options(&o); err != nil {
		return nil, err
	}
	if len(o.Map) == 0 {
		return func(s string) string { return s }, nil
	}
	c, err := parseCharsMap(o.Map)
	if err != nil {
		return nil, p.errorf("%v", err)
	}
	return c.apply, nil
}

func parseCharsMap(data []byte) (*charsMap, error) {
	if len(data) < 4 {
		return nil, fmt.Errorf("precompiled_charsmap has %d bytes", len(data))
	}
	size := int(binary.LittleEndian.Uint32(data))
	rest := data[4:]
	if size%4 != 0 || size == 0 || size > len(rest) {
		return nil, fmt.Errorf("precompiled_charsmap: a table of %d bytes in %d", size, len(rest))
	}
	c := &charsMap{units: make([]uint32, size/4), text: rest[size:]}
	for i := range c.units {
		c.units[i] = binary.LittleEndian.Uint32(rest[4*i:])
	}
	if !utf8.Valid(c.text) {
		return nil, errors.New("precompiled_charsmap: the replacements are not UTF-8")
	}
	return c, nil
}

// unit is the unit at pos; beyond the table, which only a damaged one asks for, one that nothing matches.
func (c *charsMap) unit(pos uint32) uint32 {
	if int(pos) < len(c.units) {
		return c.units[pos]
	}
	return 1 << 31
}

// offset is what a unit adds to its position on the way to its children.
func offset(u uint32) uint32 { return u >> 10 << (u & (1 << 9) >> 6) }

// replacement looks up what s begins with. It is the shortest entry that counts, and all of s that is replaced,
// as the reference has it.
func (c *charsMap) replacement(s string) (to string, ok bool) {
	c.entries(s, func(text string, _ int) bool {
		to, ok = text, true
		return false
	})
	return to, ok
}

// longest looks up the longest entry that s begins with, and says how many bytes that is; 0 for none.
func (c *charsMap) longest(s string) (to string, n int) {
	c.entries(s, func(text string, size int) bool {
		to, n = text, size
		return true
	})
	return to, n
}

// entries calls yield for each entry that s begins with, the shortest first, with its replacement and its length, until yield says no.
func (c *charsMap) entries(s string, yield func(to string, n int) bool) {
	pos := offset(c.unit(0))
	for i := 0; i < len(s) && s[i] != 0; i++ {
		pos ^= uint32(s[i])
		u := c.unit(pos)
		if u&(1<<31|0xFF) != uint32(s[i]) {
			return
		}
		pos ^= offset(u)
		if u>>8&1 == 1 {
			from := min(int(c.unit(pos)&^(1<<31)), len(c.text))
			text, _, _ := bytes.Cut(c.text[from:], []byte{0})
			if !yield(string(text), i+1) {
				return
			}
		}
	}
}

func (c *charsMap) apply(s string) string {
	var b strings.Builder
	state := -1
	for s != "" {
		var cluster string
		cluster, s, _, state = uniseg.FirstGraphemeClusterInString(s, state)
		if len(cluster) <= longestCluster {
			if r, ok := c.replacement(cluster); ok {
				b.WriteString(r)
				continue
			}
		}
		for i := 0; i < len(cluster); {
			_, n := utf8.DecodeRuneInString(cluster[i:])
			char := cluster[i : i+n]
			if r, ok := c.replacement(char); ok {
				char = r
			}
			b.WriteString(char)
			i += n
		}
	}
	return b.String()
}
