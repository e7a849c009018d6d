// Package textenc reads text in UTF-8, UTF-16 or GB18030 (which GBK and GB2312 are parts of) as UTF-8, and finds out which of them it is.
//
// Rules, in this order: a byte order mark decides; zero bytes in one half of the byte pairs are UTF-16; bytes below 0x80 are the same in the
// other two, so the first one above decides with what follows it: valid UTF-8 wins, then GB18030 if it reads as Chinese. Nothing else is
// guessed.
package textenc

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// The encodings, as they are told to people.
const (
	ASCII      = "ASCII"
	UTF8       = "UTF-8"
	UTF8Marked = "UTF-8 with BOM"
	UTF16LE    = "UTF-16LE"
	UTF16BE    = "UTF-16BE"
	GB18030    = "GB18030"
)

// What stands in the output for bytes that are no text. Neither is ever part of UTF-8.
const (
	Bad = 0xff // for a byte, or a unit of UTF-16, that the encoding has no character for
	Cut = 0xfe // for the begin of a character in which the text ends
)

// window is how much of a text is looked at to find its encoding.
const window = 1 << 18

// UnknownError says where a text stops being one of the known encodings.
type UnknownError struct {
	Line, Column int // of the byte; 1 is the first
	Byte         byte
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("neither UTF-8 nor UTF-16 nor GB18030: found byte 0x%02x at position %d of the line; convert the file to UTF-8", e.Byte, e.Column)
}

// Reader gives a text as UTF-8.
type Reader struct {
	in       *bufio.Reader
	encoding string
	decode   func(r *Reader, src []byte, end bool) (used int) // appends to out; nil before the encoding is known
	out      []byte                                           // decoded and not yet read
	spare    []byte                                           // the buffer of out
	err      error
	line     int // of the next byte, while only ASCII was seen
	column   int
	cut      bool
}

// NewReader makes a Reader of the text in.
func NewReader(in io.Reader) *Reader {
	return &Reader{in: bufio.NewReaderSize(in, window), line: 1, column: 1}
}

// Encoding is what the text so far is in.
func (r *Reader) Encoding() string {
	if r.encoding == "" {
		return ASCII
	}
	return r.encoding
}

// CutOff reports whether the end was reached and lies in the middle of a character.
func (r *Reader) CutOff() bool { return r.cut }

// Read reads UTF-8, with Bad and Cut for what is no text. The error is that of the reader below, or an UnknownError.
func (r *Reader) Read(p []byte) (int, error) {
	for len(r.out) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.fill()
	}
	n := copy(p, r.out)
	r.out = r.out[n:]
	return n, nil
}

// fill decodes some more, or sets err.
func (r *Reader) fill() {
	const most = 1 << 15
	r.out = r.spare[:0]
	if r.encoding == "" && r.line == 1 && r.column == 1 && r.decode == nil {
		r.begin()
	}
	src, err := r.in.Peek(most)
	end := len(src) < most // only then is there an error
	if len(src) == 0 {
		r.err = err
		return
	}
	if r.decode == nil {
		r.ascii(src)
		r.spare = r.out
		return
	}
	used := r.decode(r, src, end && errors.Is(err, io.EOF))
	r.in.Discard(used)
	r.spare = r.out
	if used == 0 { // what is left is no whole character, and no more comes
		r.err = err
	}
}

// begin looks for a byte order mark and for UTF-16 without one.
func (r *Reader) begin() {
	head, _ := r.in.Peek(1 << 12)
	for _, mark := range []struct {
		bytes, encoding string
		decode          func(*Reader, []byte, bool) int
	}{
		{"\xef\xbb\xbf", UTF8Marked, (*Reader).utf8},
		{"\xff\xfe", UTF16LE, (*Reader).utf16le},
		{"\xfe\xff", UTF16BE, (*Reader).utf16be},
		{"\x84\x31\x95\x33", GB18030, (*Reader).gb18030},
	} {
		if bytes.HasPrefix(head, []byte(mark.bytes)) {
			r.in.Discard(len(mark.bytes))
			r.encoding, r.decode = mark.encoding, mark.decode
			return
		}
	}
	switch unmarkedUTF16(head) {
	case UTF16LE:
		r.encoding, r.decode = UTF16LE, (*Reader).utf16le
	case UTF16BE:
		r.encoding, r.decode = UTF16BE, (*Reader).utf16be
	}
}

// ascii passes on what is the same in all encodings; at the first other byte it chooses one.
func (r *Reader) ascii(src []byte) {
	n := 0
	for n < len(src) && src[n] < utf8.RuneSelf {
		n++
	}
	r.out = append(r.out, src[:n]...)
	if lines := bytes.Count(src[:n], []byte("\n")); lines > 0 {
		r.line += lines
		r.column = n - bytes.LastIndexByte(src[:n], '\n')
	} else {
		r.column += n
	}
	whole := n == len(src)
	r.in.Discard(n)
	if whole {
		return
	}
	rest, _ := r.in.Peek(window)
	switch choose(rest) {
	case UTF8:
		r.encoding, r.decode = UTF8, (*Reader).utf8
	case GB18030:
		r.encoding, r.decode = GB18030, (*Reader).gb18030
	default:
		r.err = &UnknownError{r.line, r.column, rest[0]}
	}
}

// utf8 passes UTF-8 on. Bytes that could be taken for Cut are none of UTF-8 either.
func (r *Reader) utf8(src []byte, end bool) int {
	n := len(src)
	tail := 0 // bytes of a character that is not complete
	for i := 1; i <= min(3, n); i++ {
		if c := src[n-i]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(src[n-i:]) {
				tail = i
			}
			break
		}
	}
	from := len(r.out)
	r.out = append(r.out, src[:n-tail]...)
	for i := bytes.IndexByte(r.out[from:], Cut); i >= 0; i = bytes.IndexByte(r.out[from:], Cut) {
		from += i
		r.out[from] = Bad
	}
	if !end || tail == 0 {
		return n - tail
	}
	r.cutOff()
	return n
}

// cutOff ends a text that ends in the middle of a character.
func (r *Reader) cutOff() {
	r.out = append(r.out, Cut)
	r.cut = true
}
