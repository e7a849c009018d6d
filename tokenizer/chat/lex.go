package chat

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tagKind int

const (
	tagText  tagKind = iota
	tagPrint         // {{ ... }}
	tagBlock         // {% ... %}
)

// tag is a piece of a template after white space control.
type tag struct {
	kind tagKind
	text string  // of tagText
	toks []token // of the others
	line int
}

type tokenKind int

const (
	tokName tokenKind = iota
	tokNumber
	tokString // text is the value
	tokOp
)

type token struct {
	kind tokenKind
	text string
}

func (t token) is(op string) bool { return t.kind == tokOp && t.text == op }

func (t token) name(name string) bool { return t.kind == tokName && t.text == name }

// lexer cuts a template into tags by Jinja2's rules (lexer.py) with trim_blocks and lstrip_blocks: a
// minus in a tag strips all white space on its side; else spaces before a block or comment that starts a line
// go, and one newline after it.
type lexer struct {
	src       string
	pos       int
	line      int
	lineStart bool // the last tag ended with a newline
	plain     bool // without trim_blocks and lstrip_blocks
	tags      []tag
}

// maxDepth bounds how deep brackets and blocks may nest.
const maxDepth = 200

var (
	rawBegin = regexp.MustCompile(`^\{%[-+]?\s*raw\s*(-?)%\}`)
	rawEnd   = regexp.MustCompile(`\{%([-+]?)\s*endraw\s*([-+]?)%\}`)
)

func lex(source string, plain bool) ([]tag, error) {
	source = strings.ReplaceAll(strings.ReplaceAll(source, "\r\n", "\n"), "\r", "\n")
	if !plain {
		source = strings.TrimSuffix(source, "\n")
	}
	l := &lexer{src: source, line: 1, lineStart: true, plain: plain}
	for l.pos < len(l.src) {
		if err := l.next(); err != nil {
			return nil, fmt.Errorf("line %d: %w", l.line, err)
		}
	}
	return l.tags, nil
}

// advance moves to pos and counts lines.
func (l *lexer) advance(pos int) {
	l.line += strings.Count(l.src[l.pos:pos], "\n")
	l.lineStart = pos > l.pos && l.src[pos-1] == '\n'
	l.pos = pos
}

func (l *lexer) emitText(s string) {
	if s != "" {
		l.tags = append(l.tags, tag{kind: tagText, text: s, line: l.line})
	}
}

// open finds the next tag's two opening characters from pos on, -1 if there is none.
func (l *lexer) open() int {
	for i := l.pos; i+1 < len(l.src); i++ {
		if l.src[i] == '{' && strings.IndexByte("{%#", l.src[i+1]) >= 0 {
			return i
		}
	}
	return -1
}

// next reads the text up to the next tag, and the tag.
func (l *lexer) next() error {
	at := l.open()
	if at < 0 {
		l.emitText(l.src[l.pos:])
		l.advance(len(l.src))
		return nil
	}
	kind := l.src[at+1]
	body := at + 2
	sign := byte(0)
	if body < len(l.src) && (l.src[body] == '-' || l.src[body] == '+') && (kind != '{' || l.src[body] == '-') {
		sign = l.src[body]
		body++
	}
	l.emitText(l.before(l.src[l.pos:at], sign, kind != '{'))
	if m := rawBegin.FindStringSubmatch(l.src[at:]); m != nil {
		return l.raw(at+len(m[0]), m[1] == "-")
	}
	l.advance(at)
	if kind == '#' {
		end := strings.Index(l.src[body:], "#}")
		if end < 0 {
			return fmt.Errorf("the comment is not closed")
		}
		end += body
		l.after(end+2, l.src[end-1] == '-' && end > body, l.src[end-1] == '+' && end > body, true)
		return nil
	}
	return l.code(body, kind)
}

// before is what is left of the text in front of a tag.
func (l *lexer) before(text string, sign byte, block bool) string {
	switch {
	case sign == '-':
		return strings.TrimRightFunc(text, isSpace)
	case sign == '+' || !block || l.plain:
		return text
	}
	start := strings.LastIndexByte(text, '\n') + 1
	if (start > 0 || l.lineStart) && strings.TrimLeftFunc(text[start:], isSpace) == "" {
		return text[:start]
	}
	return text
}

// after moves behind a tag that ends at end and what its end strips.
func (l *lexer) after(end int, minus, plus, block bool) {
	switch {
	case minus:
		end += len(l.src[end:]) - len(strings.TrimLeftFunc(l.src[end:], isSpace))
	case block && !plus && !l.plain && end < len(l.src) && l.src[end] == '\n':
		end++
	}
	l.advance(end)
}

// raw reads up to endraw; nothing in between is a tag.
func (l *lexer) raw(from int, minus bool) error {
	l.after(from, minus, true, true)
	m := rawEnd.FindStringSubmatchIndex(l.src[l.pos:])
	if m == nil {
		return fmt.Errorf("the raw block is not closed")
	}
	begin, end := l.pos+m[0], l.pos+m[1]
	sign, last := l.src[l.pos+m[2]:l.pos+m[3]], l.src[l.pos+m[4]:l.pos+m[5]]
	var s byte
	if sign != "" {
		s = sign[0]
	}
	l.emitText(l.before(l.src[l.pos:begin], s, true))
	l.after(end, last == "-", last == "+", true)
	return nil
}

// code reads the tokens of a tag up to its end.
func (l *lexer) code(body int, kind byte) error {
	t := tag{kind: tagPrint, line: l.line}
	close := "}}"
	if kind == '%' {
		t.kind, close = tagBlock, "%}"
	}
	depth := 0
	for i := body; i < len(l.src); {
		rest := l.src[i:]
		if depth == 0 {
			minus, plus := strings.HasPrefix(rest, "-"+close), kind == '%' && strings.HasPrefix(rest, "+"+close)
			if minus || plus {
				rest = rest[1:]
				i++
			}
			if strings.HasPrefix(rest, close) {
				l.tags = append(l.tags, t)
				l.after(i+2, minus, plus, kind == '%')
				return nil
			}
		}
		tok, n, err := scanToken(rest)
		if err != nil {
			return err
		}
		i += n
		if tok.text == "" && tok.kind == tokOp {
			continue // white space
		}
		if tok.kind == tokOp && strings.Contains("([{", tok.text) {
			depth++
		} else if tok.kind == tokOp && strings.Contains(")]}", tok.text) {
			depth--
		}
		if depth > maxDepth || depth < 0 {
			return fmt.Errorf("brackets do not match or nest more than %d deep", maxDepth)
		}
		t.toks = append(t.toks, tok)
	}
	return fmt.Errorf("the tag is not closed")
}

var (
	numberToken  = regexp.MustCompile(`^[0-9](_?[0-9])*(\.[0-9](_?[0-9])*)?([eE][+-]?[0-9]+)?`)
	stringToken  = regexp.MustCompile(`^(?s:'([^'\\]|\\.)*'|"([^"\\]|\\.)*")`)
	operatorToks = strings.Fields("** // == != <= >= , . : ( ) [ ] { } | ~ + - * / % < > =")
)

// scanToken reads the token s starts with and its length; white space is an empty operator.
func scanToken(s string) (token, int, error) {
	if rest := strings.TrimLeftFunc(s, isSpace); len(rest) < len(s) {
		return token{kind: tokOp}, len(s) - len(rest), nil
	}
	switch c := s[0]; {
	case c == '\'' || c == '"':
		m := stringToken.FindString(s)
		if m == "" {
			return token{}, 0, fmt.Errorf("the string %.20s is not closed", s)
		}
		return token{tokString, unescape(m[1 : len(m)-1])}, len(m), nil
	case c >= '0' && c <= '9':
		m := numberToken.FindString(s)
		return token{tokNumber, plainNumber(strings.ReplaceAll(m, "_", ""))}, len(m), nil
	case c == '_' || (c|32) >= 'a' && (c|32) <= 'z':
		n := len(s) - len(strings.TrimLeftFunc(s, nameRune))
		return token{tokName, s[:n]}, n, nil
	}
	for _, op := range operatorToks {
		if strings.HasPrefix(s, op) {
			return token{tokOp, op}, len(op), nil
		}
	}
	if n := len(s) - len(strings.TrimLeftFunc(s, nameRune)); n > 0 {
		return token{tokName, s[:n]}, n, nil
	}
	r, _ := utf8.DecodeRuneInString(s)
	return token{}, 0, fmt.Errorf("unexpected character %q", r)
}

// nameRune reports whether a name may go on with r, or begin with it if it is a letter.
func nameRune(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

// engineName is a name in the letters that the engine reads.
func engineName(name string) string {
	var b strings.Builder
	for _, r := range name {
		if r < utf8.RuneSelf {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, own+"u%x_", r)
		}
	}
	return b.String()
}

// plainNumber writes a number without an exponent, which the engine does not read.
func plainNumber(s string) string {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !strings.ContainsAny(s, "eE") {
		return s
	}
	s = strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// isSpace is white space to Python's strip.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

var simpleEscapes = map[byte]string{'n': "\n", 't': "\t", 'r': "\r", '\\': "\\", '\'': "'", '"': `"`, 'a': "\a", 'b': "\b",
	'f': "\f", 'v': "\v", '\n': ""}

// unescape reads a Python string literal's escapes; an unknown one stays as it is.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if e, ok := simpleEscapes[s[i]]; ok {
			b.WriteString(e)
			continue
		}
		digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[i]]
		if digits > 0 && i+digits < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+1+digits], 16, 32); err == nil {
				b.WriteRune(rune(n))
				i += digits
				continue
			}
		}
		if n := octal(s[i:]); n > 0 {
			v, _ := strconv.ParseUint(s[i:i+n], 8, 32)
			b.WriteRune(rune(v))
			i += n - 1
			continue
		}
		b.WriteByte('\\')
		b.WriteByte(s[i])
	}
	return b.String()
}

// octal counts the octal digits s starts with, at most three.
func octal(s string) int {
	n := 0
	for n < 3 && n < len(s) && s[n] >= '0' && s[n] <= '7' {
		n++
	}
	return n
}
