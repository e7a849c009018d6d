package dataset

import "strings"

// What of a person a text may name, as bits.
const (
	hasEmail = 1 << iota
	hasPhone
	hasIDNumber
)

// personal looks for e-mail addresses, phone numbers and numbers of identity. Phone numbers are those with + and a country code, Chinese
// mobile numbers, and North American ones with an area code; numbers of identity are Chinese resident identity cards with a right
// check digit, US social security numbers in the form 3-2-4, and payment cards (13 to 19 digits that pass Luhn's test).
func personal(s string) (found uint8) {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '@':
			if isEmail(s, i) {
				found |= hasEmail
			}
		case isDigit(c):
			if i > 0 && (isWord(s[i-1]) || s[i-1] == '.' && i > 1 && isDigit(s[i-2])) {
				for i+1 < len(s) && isDigit(s[i+1]) {
					i++
				}
				continue
			}
			n := readNumber(s, i)
			found |= n.kind()
			i = n.end - 1
		}
	}
	return found
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWord(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}

// isEmail reports whether the @ at s[i] is that of an address.
func isEmail(s string, i int) bool {
	if i == 0 || !isWord(s[i-1]) {
		return false
	}
	domain := s[i+1:]
	n := 0
	for n < len(domain) && (isWord(domain[n]) && domain[n] != '_' || domain[n] == '-' || domain[n] == '.') {
		n++
	}
	domain = strings.TrimRight(domain[:n], ".-")
	dot := strings.LastIndexByte(domain, '.')
	if dot < 1 || len(domain)-dot < 3 || strings.Contains(domain, "..") {
		return false
	}
	return strings.IndexFunc(domain[dot+1:], func(r rune) bool { return r >= '0' && r <= '9' || r == '-' }) < 0
}

// number is digits in groups, as 555-010-9999 or (555) 010 9999.
type number struct {
	digits string
	groups []int // digits in each
	plus   bool
	seps   string // the separators, one for each gap
	x      bool   // an X behind, the check digit of an identity card
	end    int    // behind it in the text
}

// readNumber reads the number whose first digit is s[i].
func readNumber(s string, i int) number {
	n := number{plus: i > 0 && s[i-1] == '+'}
	var digits, seps strings.Builder
	for {
		from := i
		for i < len(s) && isDigit(s[i]) {
			i++
		}
		digits.WriteString(s[from:i])
		n.groups = append(n.groups, i-from)
		n.end = i
		sep := i
		for sep < len(s) && sep-i < 2 && strings.IndexByte(" -.()", s[sep]) >= 0 {
			sep++
		}
		if sep == i || sep >= len(s) || !isDigit(s[sep]) || digits.Len() > 24 {
			break
		}
		c := s[i]
		if c == ')' || c == '(' {
			c = ' '
		}
		seps.WriteByte(c)
		i = sep
	}
	n.digits, n.seps = digits.String(), seps.String()
	n.x = n.end < len(s) && (s[n.end] == 'X' || s[n.end] == 'x') && (n.end+1 == len(s) || !isWord(s[n.end+1]))
	if n.end < len(s) && isWord(s[n.end]) && !n.x {
		return number{end: n.end} // part of a word
	}
	return n
}

// kind says what the number is, in bits; 0 for nothing of a person.
func (n number) kind() uint8 {
	d := n.digits
	if len(d) < 9 {
		return 0
	}
	one := len(n.groups) == 1
	like := func(groups ...int) bool {
		for i, g := range groups {
			if i >= len(n.groups) || n.groups[i] != g {
				return false
			}
		}
		return len(groups) == len(n.groups)
	}
	switch {
	case one && (len(d) == 18 && chineseID(d) || len(d) == 17 && n.x && chineseID(d+"X")):
		return hasIDNumber
	case len(d) == 9 && like(3, 2, 4) && n.seps == "--" && socialSecurity(d):
		return hasIDNumber
	case (one || like(4, 4, 4, 4) || like(4, 6, 5) || like(4, 4, 4, 4, 3)) && len(d) >= 13 && len(d) <= 19 && paymentCard(d):
		return hasIDNumber
	case n.plus && len(d) >= 9 && len(d) <= 15 && d[0] != '0':
		return hasPhone
	case (one || like(3, 4, 4)) && chineseMobile(d), len(d) == 13 && d[:2] == "86" && chineseMobile(d[2:]), len(d) == 15 && d[:4] == "0086" && chineseMobile(d[4:]):
		return hasPhone
	case like(3, 3, 4) && northAmerican(d), like(1, 3, 3, 4) && d[0] == '1' && northAmerican(d[1:]):
		return hasPhone
	}
	return 0
}

func chineseMobile(d string) bool { return len(d) == 11 && d[0] == '1' && d[1] >= '3' }

func northAmerican(d string) bool { return d[0] >= '2' && d[3] >= '2' }

func socialSecurity(d string) bool {
	return d[:3] != "000" && d[:3] != "666" && d[0] != '9' && d[3:5] != "00" && d[5:] != "0000"
}

// chineseID checks the 18 characters of a resident identity card: date of birth and check digit (GB 11643-1999, ISO 7064 MOD 11-2).
func chineseID(d string) bool {
	year, month, day := d[6:10], d[10:12], d[12:14]
	if year < "1900" || year > "2099" || month < "01" || month > "12" || day < "01" || day > "31" || d[0] == '0' {
		return false
	}
	sum := 0
	for i := range 17 {
		sum += int(d[i]-'0') * [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}[i]
	}
	return d[17] == "10X98765432"[sum%11]
}

// paymentCard checks the first digit and the sum of Luhn (ISO/IEC 7812-1).
func paymentCard(d string) bool {
	if d[0] < '3' || d[0] > '6' || strings.Count(d, d[:1]) == len(d) {
		return false
	}
	sum := 0
	for i := range len(d) {
		v := int(d[len(d)-1-i] - '0')
		if i%2 == 1 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0
}
