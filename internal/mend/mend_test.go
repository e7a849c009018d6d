package mend

import (
	"testing"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// misread is s as a reader sees it that takes its UTF-8 for a single-byte encoding.
func misread(t *testing.T, s string, as *charmap.Charmap) string {
	t.Helper()
	var b []rune
	for _, c := range []byte(s) {
		r := as.DecodeByte(c)
		if r == '\ufffd' {
			r = rune(c)
		}
		b = append(b, r)
	}
	return string(b)
}

func TestText_mojibake(t *testing.T) {
	for _, want := range []string{
		"the patient’s “blood” – 5 µg … ok", "café au lait, naïve, à la carte", "Straße, Ärzte, Übung, größer", "temperature 38 °C ± 0.5 £", "你好，高血压患者能吃党参吗？", "α-synuclein και β",
		"Кровь и анализ", "emoji 😀 here", "Ωmega", "señor, ¿qué?",
	} {
		for _, as := range []*charmap.Charmap{charmap.Windows1252, charmap.ISO8859_1} {
			if want == "Ωmega" {
				continue // a single pair without Â or Ã: in doubt
			}
			once := misread(t, want, as)
			if got, broken := Text(once); got != want || broken {
				t.Errorf("%q: got %q (broken %v), want %q", once, got, broken, want)
			}
			if got, _ := Text(misread(t, once, as)); got != want {
				t.Errorf("twice misread: got %q, want %q", got, want)
			}
		}
		if got, broken := Text(want); got != want || broken {
			t.Errorf("undamaged %q became %q (broken %v)", want, got, broken)
		}
	}
	gbk := func(s string) string {
		b, err := simplifiedchinese.GBK.NewEncoder().String(s)
		if err != nil {
			t.Fatal(err)
		}
		return misread(t, b, charmap.ISO8859_1)
	}
	for _, want := range []string{"高血压患者能吃党参吗？", "您好，肺炎100例"} {
		if got, _ := Text(gbk(want)); got != want {
			t.Errorf("%q: got %q, want %q", gbk(want), got, want)
		}
	}
}

func TestText_leavesAlone(t *testing.T) {
	for _, s := range []string{
		"", "plain\ttext\r\n", "ÀÁÂÃÄÅ ÆÇ", "CAFÉ» et «ÉTÉ»", "São Paulo, AÇÃO, MÃE, IRMÃ", "Ω", "50 €", "don’t", "“quoted” … and — so", "高血压……怎么办——", "₂ ™ ®",
		"family 👨\u200d👩\u200d👧", "می\u200cخواهم", "שלום \u200e(abc)\u200f", "naïve façade, Ångström, Škoda, Žižek", "x² + y³ ≥ ½ ± µ", "Æsir Øre Åse",
	} {
		if got, broken := Text(s); got != s || broken {
			t.Errorf("%q became %q (broken %v)", s, got, broken)
		}
	}
}

func TestText_invisible(t *testing.T) {
	for s, want := range map[string]string{
		"\ufeffblood\u200b pres\u2060sure\x00\x07": "blood pressure", "a\u202eb\u202c": "ab", "bell\x1b[31m": "bell[31m", "next\u0085line": "nextline", "x\u2066y\u2069": "xy",
	} {
		if got, broken := Text(s); got != want || broken {
			t.Errorf("%q: got %q (broken %v), want %q", s, got, broken, want)
		}
	}
}

func TestText_broken(t *testing.T) {
	for _, s := range []string{"lost \ufffd\ufffd text", "锟斤拷锟斤拷", misread(t, "bad \ufffd", charmap.Windows1252), "Ã©é mixed"} {
		if got, broken := Text(s); !broken {
			t.Errorf("%q became %q and is not broken", s, got)
		}
	}
}
