package near

import (
	"slices"
)

// Difference is the words that one of two texts has and the other has not, each as often as it has more of them, sorted.
func Difference(a, b *Text) (onlyA, onlyB []Token) {
	x, y := slices.Clone(a.Tokens), slices.Clone(b.Tokens)
	slices.Sort(x)
	slices.Sort(y)
	for len(x) > 0 && len(y) > 0 {
		switch {
		case x[0] == y[0]:
			x, y = x[1:], y[1:]
		case x[0] < y[0]:
			onlyA, x = append(onlyA, x[0]), x[1:]
		default:
			onlyB, y = append(onlyB, y[0]), y[1:]
		}
	}
	return append(onlyA, x...), append(onlyB, y...)
}

// Change is the same for pairs of texts that differ by the same words, whichever comes first.
func Change(onlyA, onlyB []Token) uint64 {
	return mix(sequence(onlyA)) + mix(sequence(onlyB))
}

// Label reports whether a word numbers or names one of several things: it has a digit, is a number word, a Roman numeral,
// a single letter, or one of the Chinese signs of numbers and of order.
func Label(k Token) bool { return k&digitMark != 0 || labels[k] }

// Function reports whether a word only helps to build a sentence.
func Function(k Token) bool { return functions[k] }

var labels = words(`i ii iii iv v vi vii viii ix x xi xii xiii xiv xv xvi xvii xviii xix xx xxi xxii xxiii xxiv xxv
	one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty
	forty fifty sixty seventy eighty ninety hundred thousand million billion first second third fourth fifth sixth seventh eighth ninth tenth
	half twice double triple quarter a b c d e f g h j k l m n o p q r s t u w y z
	α β γ δ ε ζ η θ ι κ λ μ ν ξ ο π ρ σ τ υ φ χ ψ ω alpha beta gamma delta epsilon
	〇 零 一 二 两 三 四 五 六 七 八 九 十 百 千 万 亿 甲 乙 丙 丁 戊 己 庚 辛 壬 癸`)

// functions are few on purpose: a change between words that are not in here may be one of meaning.
var functions = words(`a an the this that these those is are was were be been being do does did has have had can could will would shall
	should may might must i me my mine you your yours he him his she her hers it its we us our they them their who whom whose what which where
	when why how and or but if so then than of to in on at by for from with about into as please tell hi hello dear doctor just really actually
	there here also too very some any kindly ok okay
	的 了 吗 呢 吧 啊 呀 么 我 你 您 他 她 它 们 是 在 有 和 与 就 都 也 请 问 这 那 个 很 么 什 怎 样 啥 哪 些`)

// words is a set of words by their tokens.
func words(list string) map[Token]bool {
	var t Text
	t.Fold(list)
	set := make(map[Token]bool, len(t.Tokens))
	for _, k := range t.Tokens {
		set[k] = true
	}
	return set
}

// HalfWords is the number of words, doubled, a character of a script without blanks counting as half a word.
func HalfWords(tokens []Token) int {
	n := 2 * len(tokens)
	for _, k := range tokens {
		if k&charMark != 0 {
			n--
		}
	}
	return n
}
