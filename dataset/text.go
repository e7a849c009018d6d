package dataset

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"regexp"
)

var blankLine = regexp.MustCompile(`\n[ \t\r]*\n`)

// readText takes plain text: every paragraph is a row of one field, text. Blank lines are between paragraphs; where the first 64 KiB have none, every
// line is a row.
func (r *reading) readText(in *bufio.Reader, head []byte) error {
	byLine := !blankLine.Match(bytes.TrimSpace(head))
	var paragraph []byte
	first := 0 // line of the paragraph
	flush := func() error {
		text := bytes.TrimSpace(paragraph)
		paragraph = paragraph[:0]
		if len(text) == 0 {
			return nil
		}
		if err := broken(text); err != nil {
			return r.bad(first, err)
		}
		return r.take(first, map[string]any{"text": string(text)})
	}
	for n := 1; ; n++ {
		before := len(paragraph)
		var err error
		for {
			var part []byte
			part, err = in.ReadSlice('\n')
			paragraph = append(paragraph, part...)
			if !errors.Is(err, bufio.ErrBufferFull) {
				break
			}
		}
		if err != nil && err != io.EOF {
			return r.fatal(n, "", err)
		}
		blank := len(bytes.TrimSpace(paragraph[before:])) == 0
		if before == 0 {
			first = n
		}
		if blank {
			paragraph = paragraph[:before]
		}
		if blank || byLine || err == io.EOF {
			if stop := flush(); stop != nil {
				return stop
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}
