package dataset

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"ft/internal/textenc"
)

const (
	maxErrors = 10       // bad rows of a file that one error tells of
	maxRow    = 64 << 20 // bytes of a row; what has none for so long is no rows
	headSize  = 1 << 16  // bytes by which a format is recognised
)

// reading is a file on its way to rows.
type reading struct {
	name, base string // as given; what begins the ids of rows that have none
	config     Config
	from       Source
	table      *Table
	report     *Report
	info       FileInfo
	file       io.ReadCloser
	since      *bounded                                    // what was read since the last row
	errs       []error                                     // bad rows, where they stop the reading
	fault      string                                      // of the last bad row
	alike      int                                         // bad rows behind the last of errs that have its fault
	line, nth  int                                         // where the last row starts, and how many before it start there
	each       func(line int, fields map[string]any) error // what is done with a record instead of making a row of it; nil: nothing else
}

// errStop ends a reading whose errors say why.
var errStop = errors.New("stop")

// read reads a file's rows into the table.
func (r *reading) read() error {
	f, err := r.from.open(r.name)
	if err != nil {
		return err
	}
	defer f.Close()
	r.file = f
	content, done, err := r.decompress()
	if err != nil {
		return err
	}
	defer done()
	if head, _ := content.Peek(len(parquetMagic)); string(head) == parquetMagic {
		err = r.parquet(content)
	} else {
		err = r.text(content)
	}
	r.countAlike()
	switch {
	case err != nil && err != errStop:
		r.errs = append(r.errs, err)
	case len(r.errs) > 0:
		r.errs = append(r.errs, fmt.Errorf("%s: data.bad_rows: drop would leave bad rows out, and list them", r.name))
	}
	if len(r.errs) > 0 && r.info.Compression != "" { // a damaged file may first show as bad rows
		if _, err := io.Copy(io.Discard, content); err != nil {
			return err
		}
	}
	return errors.Join(r.errs...)
}

// decompress gives the file's content. Magic bytes tell of compression, whatever the name says.
func (r *reading) decompress() (content *bufio.Reader, done func(), err error) {
	raw := bufio.NewReaderSize(failing{r.file, r.name}, headSize)
	head, _ := raw.Peek(4)
	var in io.Reader
	done = func() {}
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		r.info.Compression = "gzip"
		in, err = gzip.NewReader(raw)
	case bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")):
		r.info.Compression = "zstd"
		var z *zstd.Decoder
		if z, err = zstd.NewReader(raw, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true)); err == nil {
			in, done = z, z.Close
		}
	default:
		if _, says := extension(r.name); says != "" && len(head) > 0 {
			return nil, nil, fmt.Errorf("%s: its name says %s, and its content is something else", r.name, says)
		}
		return raw, done, nil
	}
	what := r.name + ": damaged " + r.info.Compression + " file"
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", what, err)
	}
	return bufio.NewReaderSize(failing{in, what}, headSize), done, nil
}

// failing is a reader whose errors are those of the file, not of what is in it.
type failing struct {
	io.Reader
	what string
}

// readError is an error of reading a file.
type readError struct{ error }

func (f failing) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	var inner readError
	if err != nil && err != io.EOF && !errors.As(err, &inner) {
		err = readError{fmt.Errorf("%s: %w", f.what, err)}
	}
	return n, err
}

func (r *reading) parquet(content io.Reader) error {
	r.info.Format = "parquet"
	file, size, done, err := r.randomAccess(content)
	if err != nil {
		return err
	}
	defer done()
	return r.readParquet(file, size)
}

// text reads the formats that are text.
func (r *reading) text(content io.Reader) error {
	decoded := textenc.NewReader(content)
	r.since = &bounded{in: decoded}
	in := bufio.NewReaderSize(r.since, headSize)
	head, err := in.Peek(headSize)
	if err != nil && err != io.EOF && len(head) == 0 {
		return r.fatal(1, "", err)
	}
	whole := err == io.EOF
	if r.info.Format, err = r.detect(head, whole); err != nil {
		return err
	}
	switch r.info.Format {
	case "json":
		err = r.readJSON(in, head)
	case "jsonl":
		err = r.readJSONLines(in)
	case "csv":
		err = r.readCSV(in, ',')
	case "tsv":
		err = r.readCSV(in, '\t')
	case "text":
		err = r.readText(in, head)
	}
	r.info.Encoding = decoded.Encoding()
	return err
}

// bounded is a reader that refuses to read much without a row in it.
type bounded struct {
	in io.Reader
	n  int // bytes since the last row
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.n > maxRow {
		return 0, readError{fmt.Errorf("a row of more than %d MiB", maxRow>>20)}
	}
	n, err := b.in.Read(p)
	b.n += n
	return n, err
}

// take hands a record on. It returns errStop when the file's errors are enough.
func (r *reading) take(line int, fields map[string]any) error {
	if r.each != nil {
		r.passed()
		return r.each(line, fields)
	}
	rec := record{file: r.name, line: line, nth: r.count(line), fields: fields}
	row, err := rec.row(r.base, r.config)
	if err == nil && r.info.Format == "parquet" { // the others are checked as a whole
		err = row.broken()
	}
	if err != nil {
		return r.bad(line, err)
	}
	r.passed()
	r.info.Rows++
	r.report.Rows++
	r.report.Kept++
	if row.turnsAfter {
		r.report.note(turnsAfter, row.ID)
	}
	return r.table.Add(row)
}

// broken returns an error unless all of the row's texts are text.
func (r Row) broken() error {
	errs := []error{broken(r.ID), broken(r.Group), broken(r.Stratum), broken(r.Answer)}
	for _, m := range r.Messages {
		errs = append(errs, broken(m.Content))
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// passed notes that a row was read.
func (r *reading) passed() {
	if r.since != nil {
		r.since.n = 0
	}
}

// count returns how many rows before this one start on the line.
func (r *reading) count(line int) int {
	if r.nth++; line != r.line {
		r.line, r.nth = line, 0
	}
	return r.nth
}

// bad tells of a row that cannot be used. As data.bad_rows says it is dropped and listed, or an error; one that the end of the file cuts in
// the middle of a character is always dropped, since nothing but another file can mend it.
func (r *reading) bad(line int, err error) error {
	r.passed()
	fault := err.Error()
	err = fmt.Errorf("%s:%d: %w", r.name, line, err)
	isCut := errors.Is(err, errCutOff)
	if !isCut && r.config.BadRows != "drop" {
		if len(r.errs) > 0 && fault == r.fault {
			r.alike++
			return nil
		}
		r.countAlike()
		r.fault = fault
		if r.errs = append(r.errs, err); len(r.errs) == maxErrors {
			return errStop
		}
		return nil
	}
	reason := badRow
	if isCut {
		reason = cutOff
	}
	r.info.Rows++
	r.info.Bad++
	r.report.Rows++
	r.report.Kept++
	r.report.drop(reason, fmt.Sprintf("%s:%d", r.base, line))
	r.report.tellBad(err)
	return nil
}

// countAlike says of the last error how many rows behind it have the same fault.
func (r *reading) countAlike() {
	if r.alike > 0 {
		last := len(r.errs) - 1
		r.errs[last] = fmt.Errorf("%w (as in %d more behind it)", r.errs[last], r.alike)
		r.alike = 0
	}
}

// fatal is an error behind which no row can be found any more.
func (r *reading) fatal(line int, what string, err error) error {
	var read readError
	var unknown *textenc.UnknownError
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("%s:%d: %w", r.name, unknown.Line, unknown)
	case errors.As(err, &read):
		if strings.HasPrefix(read.Error(), r.name) {
			return read.error
		}
		return fmt.Errorf("%s:%d: %w", r.name, line, read.error)
	case what == "":
		return fmt.Errorf("%s:%d: %w", r.name, line, err)
	}
	return fmt.Errorf("%s:%d: %s: %w", r.name, line, what, err)
}

// errCutOff is the error of a row that ends, with its file, in the middle of a character.
var errCutOff = errors.New("the file ends in the middle of a character: it is cut off")

// broken returns an error unless s is text in the file's encoding (see textenc).
func broken[T string | []byte](s T) error {
	text := string(s)
	if utf8.ValidString(text) {
		return nil
	}
	chars := 0
	for i, c := range text {
		if c == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd") {
			if text[i] == textenc.Cut {
				return errCutOff
			}
			return fmt.Errorf("holds bytes that are no text in the file's encoding, after %d characters (%q)", chars, tail(text[:i]))
		}
		chars++
	}
	return nil
}

var listOfObjects = regexp.MustCompile(`^\[\s*(\{|\]|$)`)

// detect says how text is to be read: by the file's extension, and by its first bytes when the extension does not tell. A .json file may
// be a list, one object a line, or an object of a list; a .txt file that is rows by its first line is no plain text.
func (r *reading) detect(head []byte, whole bool) (string, error) {
	format, _ := extension(r.name)
	switch format {
	case "jsonl", "csv", "tsv":
		return format, nil
	case "parquet":
		return "", fmt.Errorf("%s: its name says Parquet, and its content is something else", r.name)
	}
	text := bytes.TrimLeft(head, " \t\r\n")
	switch {
	case bytes.HasPrefix(text, []byte("{")) && objectLines(text, whole):
		return "jsonl", nil
	case format == "json", listOfObjects.Match(text), format == "" && bytes.HasPrefix(text, []byte("{")):
		return "json", nil
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	for comma, format := range map[rune]string{',': "csv", '\t': "tsv"} {
		c := csv.NewReader(bytes.NewReader(line))
		c.Comma = comma
		header, err := c.Read()
		if err == nil && len(header) > 1 && knownHeader(header, r.config.Columns) {
			return format, nil
		}
	}
	if format == "text" {
		return format, nil
	}
	return "", fmt.Errorf("%s: neither its extension nor its first line tells what it is; %s", r.name, filesRead)
}

// objectLines reports whether text, the begin of a file, is one object a line: the first line is one, and it is not all of the file and an object around a list.
func objectLines(text []byte, whole bool) bool {
	line, rest, _ := bytes.Cut(text, []byte("\n"))
	if !json.Valid(line) {
		return false
	}
	_, wrapped := listInside(text)
	return !wrapped || len(bytes.TrimSpace(rest)) > 0 || !whole
}
