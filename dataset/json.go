package dataset

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// readJSONLines takes every line that is not blank as one object.
func (r *reading) readJSONLines(in *bufio.Reader) error {
	var line []byte
	for n := 1; ; n++ {
		line = line[:0]
		var err error
		for {
			var part []byte
			part, err = in.ReadSlice('\n')
			line = append(line, part...)
			if !errors.Is(err, bufio.ErrBufferFull) {
				break
			}
		}
		if err != nil && err != io.EOF {
			return r.fatal(n, "", err)
		}
		if text := bytes.TrimSpace(line); len(text) > 0 {
			if stop := r.object(n, text, "one JSON object on the line"); stop != nil {
				return stop
			}
		} else {
			r.passed()
		}
		if err == io.EOF {
			return nil
		}
	}
}

// object takes a JSON value that should be an object.
func (r *reading) object(line int, text []byte, want string) error {
	if err := broken(text); err != nil {
		return r.bad(line, err)
	}
	fields, err := jsonFields(text)
	if err != nil {
		return r.bad(line, fmt.Errorf("expected %s: %w", want, err))
	}
	return r.take(line, fields)
}

// jsonFields decodes one object. The fields do not share v's memory.
func jsonFields(v []byte) (map[string]any, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(v, &raw); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return nil, fmt.Errorf("found %s", kind(v))
		}
		return nil, jsonError(err)
	}
	if raw == nil {
		return nil, errors.New("found null")
	}
	fields := make(map[string]any, len(raw))
	for k, f := range raw {
		fields[k] = f
	}
	return fields, nil
}

// jsonError says what is wrong and at which byte, without the package's jargon.
func jsonError(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("%w (byte %d)", err, syntax.Offset)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the file ends too early")
	}
	return err
}

// jsonValues reads the values of a JSON text and knows their lines.
type jsonValues struct {
	r   *reading
	dec *json.Decoder
	src *lineCounter
}

// readJSON takes the objects of a list; of a list that one field of an object holds, as in {"data": […]}; or objects one behind the other. head is
// how the text begins.
func (r *reading) readJSON(in *bufio.Reader, head []byte) error {
	src := &lineCounter{in: in, line: 1}
	v := jsonValues{r: r, src: src}
	text := bytes.TrimLeft(head, " \t\r\n")
	at, wrapped := listInside(text)
	switch {
	case wrapped:
		at += len(head) - len(text)
		src.line += bytes.Count(head[:at], []byte("\n"))
		in.Discard(at)
		src.in = io.MultiReader(strings.NewReader(wrapperStart), in)
		v.dec = json.NewDecoder(src)
		return v.wrapper()
	case bytes.HasPrefix(text, []byte("{")):
		v.dec = json.NewDecoder(src)
		return v.stream()
	}
	v.dec = json.NewDecoder(src)
	if err := v.delim('['); err != nil {
		return err
	}
	if err := v.list(); err != nil {
		return err
	}
	return v.end()
}

const listWanted = "expected a list of JSON objects"

// fail is the error of a text that is no JSON from here on.
func (v *jsonValues) fail(err error) error {
	offset := v.dec.InputOffset()
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		offset = max(offset, syntax.Offset-1)
	} else if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		offset = v.src.read
	}
	return v.r.fatal(v.src.at(offset), listWanted, jsonError(err))
}

// delim reads the delimiter that must come.
func (v *jsonValues) delim(want rune) error {
	tok, err := v.dec.Token()
	if err == nil && tok != json.Delim(want) {
		err = fmt.Errorf("found %v", tok)
	}
	if err != nil {
		return v.fail(err)
	}
	return nil
}

// list takes the elements of a list that has begun, and its end.
func (v *jsonValues) list() error {
	for v.dec.More() {
		var raw json.RawMessage
		if err := v.dec.Decode(&raw); err != nil {
			return v.fail(err)
		}
		if err := v.r.object(v.src.at(v.dec.InputOffset()-int64(len(raw))), raw, "a JSON object"); err != nil {
			return err
		}
	}
	return v.delim(']')
}

// end makes sure that nothing is left.
func (v *jsonValues) end() error {
	switch _, err := v.dec.Token(); {
	case err == io.EOF:
		return nil
	case err != nil && !isSyntax(err):
		return v.fail(err)
	}
	return v.fail(errors.New("found text behind its end"))
}

func isSyntax(err error) bool {
	var syntax *json.SyntaxError
	return errors.As(err, &syntax)
}

// stream takes objects that stand one behind the other, on whatever lines.
func (v *jsonValues) stream() error {
	for {
		var raw json.RawMessage
		err := v.dec.Decode(&raw)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return v.fail(err)
		}
		if err := v.r.object(v.src.at(v.dec.InputOffset()-int64(len(raw))), raw, "a JSON object"); err != nil {
			return err
		}
	}
}

// wrapperStart takes the place of what an object has before its list, so that the rest is JSON.
const wrapperStart = `{"":`

// wrapper takes the list of an object, and makes sure that there is no other.
func (v *jsonValues) wrapper() error {
	v.dec.Token()
	v.dec.Token()
	if err := v.delim('['); err != nil {
		return err
	}
	if err := v.list(); err != nil {
		return err
	}
	for v.dec.More() {
		name, err := v.dec.Token()
		if err != nil {
			return v.fail(err)
		}
		var raw json.RawMessage
		if err := v.dec.Decode(&raw); err != nil {
			return v.fail(err)
		}
		if inner := bytes.TrimSpace(bytes.TrimPrefix(raw, []byte("["))); len(inner) < len(raw) && bytes.HasPrefix(inner, []byte("{")) {
			return v.fail(fmt.Errorf("found an object of two lists, %q is the second; keep one of them", name))
		}
	}
	if err := v.delim('}'); err != nil {
		return err
	}
	return v.end()
}

// wrappers are names under which an object holds the list of all rows.
var wrappers = []string{"data", "rows", "train", "examples", "items", "records", "instances", "samples", "entries"}

// listInside finds the list of rows in an object that is no row itself, such as {"version": 1, "data": [{…}, …]}: text begins with
// the object, and the list begins at byte at of it. An object with a field before it that rows have is a row.
func listInside(text []byte) (at int, ok bool) {
	s := scanner{text: text}
	if !s.skip('{') {
		return 0, false
	}
	for {
		from := s.at
		if s.blanks(); !s.value() {
			return 0, false
		}
		var name string
		if err := json.Unmarshal(text[from:s.at], &name); err != nil {
			return 0, false
		}
		if slices.Contains(questionNames, name) || slices.Contains(answerNames, name) || !s.skip(':') {
			return 0, false
		}
		s.blanks()
		if list := s; slices.Contains(wrappers, name) && list.skip('[') {
			if list.blanks(); list.at < len(text) && text[list.at] == '{' {
				return s.at, true
			}
		}
		if !s.value() || !s.skip(',') {
			return 0, false
		}
	}
}

// scanner goes over JSON that may end anywhere.
type scanner struct {
	text []byte
	at   int
}

func (s *scanner) blanks() {
	for s.at < len(s.text) && strings.IndexByte(" \t\r\n", s.text[s.at]) >= 0 {
		s.at++
	}
}

// skip passes over a character with white space before it.
func (s *scanner) skip(c byte) bool {
	s.blanks()
	if s.at == len(s.text) || s.text[s.at] != c {
		return false
	}
	s.at++
	return true
}

// value passes over a value; false if the text ends in it.
func (s *scanner) value() bool {
	depth := 0
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; c {
		case '"':
			for s.at++; s.at < len(s.text) && s.text[s.at] != '"'; s.at++ {
				if s.text[s.at] == '\\' {
					s.at++
				}
			}
			if s.at >= len(s.text) {
				return false
			}
			if depth == 0 {
				s.at++
				return true
			}
		case '[', '{':
			depth++
		case ']', '}', ',':
			if depth == 0 {
				return true // behind a number or word
			}
			if c != ',' {
				depth--
			}
			if depth == 0 {
				s.at++
				return true
			}
		}
	}
	return false
}

// lineCounter is a reader that knows on which line a byte lies.
type lineCounter struct {
	in   io.Reader
	read int64   // bytes so far
	line int     // of the byte that was asked for last
	ends []int64 // offsets of the line ends behind it
}

func (l *lineCounter) Read(p []byte) (int, error) {
	n, err := l.in.Read(p)
	for i, c := range p[:n] {
		if c == '\n' {
			l.ends = append(l.ends, l.read+int64(i))
		}
	}
	l.read += int64(n)
	return n, err
}

// at is the line of the byte at an offset, which never goes back.
func (l *lineCounter) at(offset int64) int {
	n := 0
	for n < len(l.ends) && l.ends[n] < offset {
		n++
	}
	l.line += n
	l.ends = append(l.ends[:0], l.ends[n:]...)
	return l.line
}
