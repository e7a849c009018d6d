package dataset

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"
)

// codec writes rows as bytes or reads them again, one function for both. A row is the length of its numbers, its numbers (varints, lengths
// of texts among them), and its texts, one behind the other.
type codec struct {
	files  []string // of all rows; a row has the index of its own
	index  map[string]int
	decode bool
	bad    bool
	head   []byte // numbers: written so far, or left to read
	text   []byte // texts written
	left   string // texts left to read
}

var errCodec = errors.New("dataset: a row does not read back as it was written")

// append adds a row's bytes to b.
func (c *codec) append(b []byte, r Row) []byte {
	c.decode, c.head, c.text = false, c.head[:0], c.text[:0]
	c.row(&r)
	b = binary.AppendUvarint(b, uint64(len(c.head)))
	return append(append(b, c.head...), c.text...)
}

// read makes a row of its bytes, which it does not keep. It is safe for concurrent use if nothing is appended.
func (c *codec) read(b []byte) (Row, error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return Row{}, errCodec
	}
	b = b[size:]
	d := codec{files: c.files, decode: true, head: b[:n], left: string(b[n:])}
	var r Row
	d.row(&r)
	if d.bad || len(d.head) > 0 || d.left != "" {
		return Row{}, errCodec
	}
	return r, nil
}

// row goes over all of a row.
func (c *codec) row(r *Row) {
	c.file(&r.File)
	c.number(&r.Line)
	c.flag(&r.Plain)
	c.flag(&r.turnsAfter)
	c.name(&r.ID)
	c.name(&r.Group)
	c.name(&r.Stratum)
	c.string(&r.Answer)
	c.raw(&r.Tools)
	c.fields(&r.Fields)
	n := len(r.Messages)
	c.number(&n)
	if c.decode && n > 0 && c.fits(n) {
		r.Messages = make([]Message, n)
	}
	for i := range r.Messages {
		m := &r.Messages[i]
		c.string(&m.Role)
		c.string(&m.Content)
		c.fields(&m.Fields)
	}
}

func (c *codec) fields(f *[]Field) {
	n := len(*f)
	c.number(&n)
	if c.decode && n > 0 && c.fits(n) {
		*f = make([]Field, n)
	}
	for i := range *f {
		c.string(&(*f)[i].Name)
		c.raw(&(*f)[i].JSON)
	}
}

// fits reports whether so many things can follow, each of which has a number at least.
func (c *codec) fits(n int) bool {
	c.bad = c.bad || n > len(c.head)
	return !c.bad
}

func (c *codec) number(n *int) {
	if !c.decode {
		c.head = binary.AppendUvarint(c.head, uint64(*n))
		return
	}
	v, size := binary.Uvarint(c.head)
	if c.bad = c.bad || size <= 0; !c.bad {
		*n, c.head = int(v), c.head[size:]
	}
}

func (c *codec) flag(b *bool) {
	n := 0
	if *b {
		n = 1
	}
	c.number(&n)
	*b = n == 1
}

func (c *codec) string(s *string) {
	n := len(*s)
	c.number(&n)
	if !c.decode {
		c.text = append(c.text, *s...)
		return
	}
	if c.bad = c.bad || n < 0 || n > len(c.left); !c.bad {
		*s, c.left = c.left[:n], c.left[n:]
	}
}

// name is a string that may be kept longer than its row, and must not keep the row's other texts with it.
func (c *codec) name(s *string) {
	if c.string(s); c.decode {
		*s = strings.Clone(*s)
	}
}

func (c *codec) raw(v *json.RawMessage) {
	s := string(*v)
	if c.string(&s); c.decode && s != "" {
		*v = json.RawMessage(s)
	}
}

func (c *codec) file(name *string) {
	if c.decode {
		i := 0
		if c.number(&i); i < 0 || i >= len(c.files) {
			c.bad = true
			return
		}
		*name = c.files[i]
		return
	}
	i, ok := c.index[*name]
	if !ok {
		if c.index == nil {
			c.index = map[string]int{}
		}
		i = len(c.files)
		c.files, c.index[*name] = append(c.files, *name), i
	}
	c.number(&i)
}
