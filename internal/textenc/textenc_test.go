package textenc

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
)

const (
	chineseText = "问题,答案\n感冒了要不要吃药？,\"一般的感冒多喝水，注意休息，发烧不退的时候再去看医生。\"\n高血压的人能喝酒吗？,最好不要喝，血压会升高。\n"
	englishText = "question,answer\nWhat is a fever?,A temperature above 38 degrees.\n"
	mixedText   = "id,question,answer\n1,What is 感冒?,a cold 🤧 – naïve\n"
)

// encoded is text in an encoding.
func encoded(t testing.TB, e encoding.Encoding, text string) string {
	t.Helper()
	s, err := e.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func pairs(order unicode.Endianness, mark unicode.BOMPolicy) encoding.Encoding {
	return unicode.UTF16(order, mark)
}

func TestReader(t *testing.T) {
	le, be := unicode.LittleEndian, unicode.BigEndian
	for _, c := range []struct {
		name, in, want, encoding string
	}{
		{"empty", "", "", ASCII},
		{"ASCII", englishText, englishText, ASCII},
		{"UTF-8", mixedText, mixedText, UTF8},
		{"UTF-8, Chinese", chineseText, chineseText, UTF8},
		{"UTF-8 with mark", "\ufeff" + mixedText, mixedText, UTF8Marked},
		{"UTF-8 with zero byte", "a,b\x00c,感\n", "a,b\x00c,感\n", UTF8},
		{"ASCII with zero byte", "a,b\x00c,d\n", "a,b\x00c,d\n", ASCII},
		{"LE with mark", encoded(t, pairs(le, unicode.UseBOM), mixedText), mixedText, UTF16LE},
		{"BE with mark", encoded(t, pairs(be, unicode.UseBOM), mixedText), mixedText, UTF16BE},
		{"LE", encoded(t, pairs(le, unicode.IgnoreBOM), mixedText), mixedText, UTF16LE},
		{"BE", encoded(t, pairs(be, unicode.IgnoreBOM), mixedText), mixedText, UTF16BE},
		{"LE, Chinese", encoded(t, pairs(le, unicode.IgnoreBOM), chineseText), chineseText, UTF16LE},
		{"BE, Chinese", encoded(t, pairs(be, unicode.IgnoreBOM), chineseText), chineseText, UTF16BE},
		{"LE, ASCII", encoded(t, pairs(le, unicode.IgnoreBOM), englishText), englishText, UTF16LE},
		{"GBK", encoded(t, simplifiedchinese.GBK, chineseText), chineseText, GB18030},
		{"GB18030 with mark", encoded(t, simplifiedchinese.GB18030, "\ufeff"+mixedText), mixedText, GB18030},
		{"GB18030, four bytes", encoded(t, simplifiedchinese.GB18030, "的🤧的的的的的的的的的\ufffd"), "的🤧的的的的的的的的的\ufffd", GB18030},
		{"long ASCII, then Chinese", strings.Repeat(englishText, 9000) + encoded(t, simplifiedchinese.GBK, chineseText), strings.Repeat(englishText, 9000) + chineseText, GB18030},
		{"long", strings.Repeat(mixedText, 20000), strings.Repeat(mixedText, 20000), UTF8},
		{"long UTF-16", encoded(t, pairs(le, unicode.UseBOM), strings.Repeat(mixedText, 9000)), strings.Repeat(mixedText, 9000), UTF16LE},
		{"long GBK", encoded(t, simplifiedchinese.GBK, strings.Repeat(chineseText, 5000)), strings.Repeat(chineseText, 5000), GB18030},
		{"damaged UTF-8", strings.Repeat(chineseText, 9) + "\xfe\xff\xc0\n", strings.Repeat(chineseText, 9) + "\xff\xff\xc0\n", UTF8},
		{"damaged GBK", encoded(t, simplifiedchinese.GBK, strings.Repeat(chineseText, 9)) + "\xff\n\xa1\n", strings.Repeat(chineseText, 9) + "\xff\n\xff\n", GB18030},
		{"GBK cut off", encoded(t, simplifiedchinese.GBK, chineseText) + "\xb5", chineseText + "\xfe", GB18030},
		{"UTF-8 cut off", chineseText + "感"[:2], chineseText + "\xfe", UTF8},
		{"UTF-16 cut off", encoded(t, pairs(le, unicode.UseBOM), chineseText) + "x", chineseText + "\xfe", UTF16LE},
		{"UTF-16 cut in a pair", encoded(t, pairs(le, unicode.UseBOM), "a") + "\x3e\xd8", "a\xfe", UTF16LE},
		{"UTF-16 with half a pair", encoded(t, pairs(be, unicode.UseBOM), "ab") + "\xd8\x3e\x00c", "ab\xffc", UTF16BE},
	} {
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"": func(r io.Reader) io.Reader { return r }, "by byte": iotest.OneByteReader, "error with data": iotest.DataErrReader,
		} {
			r := NewReader(wrap(strings.NewReader(c.in)))
			got, err := io.ReadAll(r)
			if err != nil || string(got) != c.want || r.Encoding() != c.encoding {
				t.Errorf("%s %s: got %.60q… (%d bytes), %s, %v; want %.60q… (%d bytes), %s", c.name, name, got, len(got), r.Encoding(), err, c.want, len(c.want), c.encoding)
			}
			if len(c.in) > 1<<16 {
				break // by byte would take long
			}
		}
	}
}

// What is none of the encodings is refused, with its place, and never read as Chinese.
func TestReader_unknown(t *testing.T) {
	japaneseText := strings.Repeat("質問：風邪をひいたときはどうすればいいですか。水分をとって、ゆっくり休んでください。\n", 20)
	koreanText := strings.Repeat("질문: 감기에 걸리면 어떻게 해야 하나요? 물을 많이 마시고 푹 쉬는 것이 좋습니다. 열이 나면 병원에 가세요.\n", 20)
	for _, c := range []struct{ name, in string }{
		{"Latin-1", encoded(t, charmap.ISO8859_1, "naïve café à la carte déjà vu\n")},
		{"Windows-1252", encoded(t, charmap.Windows1252, strings.Repeat("“Fièvre” – c’est déjà élevé…\n", 30))},
		{"Windows-1251", encoded(t, charmap.Windows1251, strings.Repeat("Что делать при простуде? Пить воду.\n", 30))},
		{"Shift-JIS", encoded(t, japanese.ShiftJIS, japaneseText)},
		{"EUC-JP", encoded(t, japanese.EUCJP, japaneseText)},
		{"EUC-KR", encoded(t, korean.EUCKR, koreanText)},
		{"Big5", encoded(t, traditionalchinese.Big5, strings.Repeat("感冒了要不要吃藥？一般的感冒多喝水，注意休息，發燒不退的時候再去看醫生。\n", 20))},
	} {
		r := NewReader(strings.NewReader("question\n1," + c.in))
		_, err := io.ReadAll(r)
		var unknown *UnknownError
		if !errors.As(err, &unknown) {
			t.Errorf("%s: read as %s, error %v", c.name, r.Encoding(), err)
			continue
		}
		at := strings.IndexFunc(c.in, func(c rune) bool { return c >= utf8.RuneSelf })
		line := 2 + strings.Count(c.in[:at], "\n")
		if unknown.Line != line || unknown.Byte != c.in[at] || line == 2 && unknown.Column != at+3 {
			t.Errorf("%s: got %+v, want line %d, byte %d", c.name, unknown, line, at)
		}
	}
}

// An error of the reader below comes through, behind what could be read.
func TestReader_error(t *testing.T) {
	broken := errors.New("broken")
	for _, text := range []string{"", "abc", "感冒\xe6\x84", encoded(t, simplifiedchinese.GBK, chineseText) + "\xb5"} {
		got, err := io.ReadAll(NewReader(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken))))
		if !errors.Is(err, broken) || !utf8.Valid(got) {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	for _, s := range []string{englishText, chineseText, "\xff\xfea\x00", "\x84\x31\x95\x33a", encoded(f, simplifiedchinese.GBK, chineseText), "\xb5\xc4\x81\x30\x81", "\x00a\x00b\xd8"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := NewReader(bytes.NewReader(data))
		got, err := io.ReadAll(r)
		var unknown *UnknownError
		if err != nil && !errors.As(err, &unknown) {
			t.Fatal(err)
		}
		if utf8.Valid(data) && r.Encoding() == UTF8 && string(got) != string(data) {
			t.Errorf("UTF-8 was changed: %q", got)
		}
		for rest := got; len(rest) > 0; {
			c, size := utf8.DecodeRune(rest)
			if c == utf8.RuneError && size == 1 && rest[0] != Bad && (rest[0] != Cut || len(rest) > 1) && r.Encoding() != UTF8 && r.Encoding() != UTF8Marked {
				t.Fatalf("byte 0x%02x in %q", rest[0], got)
			}
			rest = rest[size:]
		}
		slow, slowErr := io.ReadAll(NewReader(iotest.OneByteReader(bytes.NewReader(data))))
		if !bytes.Equal(got, slow) || (err == nil) != (slowErr == nil) {
			t.Errorf("got %q, byte by byte %q", got, slow)
		}
	})
}
