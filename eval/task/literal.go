package task

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parseLiteral reads what Python prints of a list, a text, a number, True, False or None, as ast.literal_eval does: []any, string, int,
// float64, bool or nil. Dictionaries, sets and complex numbers are refused; a tuple is a list.
func parseLiteral(s string) (any, error) {
	l := &literal{s: s}
	v, err := l.value(0)
	if err == nil && l.peek() != 0 {
		err = fmt.Errorf("there is more behind it: %.20q", l.s[l.i:])
	}
	return v, err
}

type literal struct {
	s string
	i int
}

// maxLiteralDepth bounds lists in lists.
const maxLiteralDepth = 100

// peek is the next byte that is no white space, 0 at the end.
func (l *literal) peek() byte {
	l.i = len(l.s) - len(strings.TrimLeft(l.s[l.i:], " \t\r\n\f"))
	if l.i == len(l.s) {
		return 0
	}
	return l.s[l.i]
}

func (l *literal) value(depth int) (any, error) {
	switch c := l.peek(); {
	case depth > maxLiteralDepth:
		return nil, fmt.Errorf("lists nest too deep")
	case c == '[' || c == '(':
		return l.list(depth, c+map[byte]byte{'[': 2, '(': 1}[c])
	case c == '\'' || c == '"':
		return l.text()
	case c == 0:
		return nil, fmt.Errorf("it ends too early")
	}
	end := strings.IndexAny(l.s[l.i:], ",]) \t\r\n\f")
	if end < 0 {
		end = len(l.s) - l.i
	}
	word := l.s[l.i : l.i+end]
	l.i += end
	switch word {
	case "True":
		return true, nil
	case "False":
		return false, nil
	case "None":
		return nil, nil
	}
	if n, err := strconv.Atoi(word); err == nil {
		return n, nil
	}
	if f, err := strconv.ParseFloat(word, 64); err == nil {
		return f, nil
	}
	return nil, fmt.Errorf("%.20q is neither text in quotes nor a number", word)
}

func (l *literal) list(depth int, closer byte) (any, error) {
	l.i++
	list := []any{}
	for {
		if l.peek() == closer {
			l.i++
			return list, nil
		}
		v, err := l.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		switch c := l.peek(); c {
		case ',':
			l.i++
		case closer:
		default:
			return nil, fmt.Errorf("expected , or %c at byte %d", closer, l.i)
		}
	}
}

// text reads a string literal, and those right behind it, which Python joins.
func (l *literal) text() (any, error) {
	var b strings.Builder
	for {
		quote := l.s[l.i]
		l.i++
		for {
			if l.i >= len(l.s) {
				return nil, fmt.Errorf("a text is not closed")
			}
			c := l.s[l.i]
			l.i++
			if c == quote {
				break
			}
			if c != '\\' {
				b.WriteByte(c)
				continue
			}
			l.escape(&b)
		}
		if c := l.peek(); c != '\'' && c != '"' {
			return b.String(), nil
		}
	}
}

// escape reads what follows a backslash.
func (l *literal) escape(b *strings.Builder) {
	if l.i >= len(l.s) {
		return
	}
	c := l.s[l.i]
	l.i++
	if plain, ok := map[byte]string{'n': "\n", 't': "\t", 'r': "\r", '\\': `\`, '\'': "'", '"': `"`, 'a': "\a", 'b': "\b", 'f': "\f", 'v': "\v", '\n': ""}[c]; ok {
		b.WriteString(plain)
		return
	}
	if n := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]; n > 0 && l.i+n <= len(l.s) {
		if r, err := strconv.ParseUint(l.s[l.i:l.i+n], 16, 32); err == nil {
			b.WriteRune(rune(r))
			l.i += n
			return
		}
	}
	b.WriteByte('\\')
	r, size := utf8.DecodeRuneInString(l.s[l.i-1:])
	b.WriteRune(r)
	l.i += size - 1
}
