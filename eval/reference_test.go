package eval

import (
	"math"
	"strings"
	"testing"
)

// nurse are our own rows, of two references each.
var nurse = []Pair{
	{"The nurse gave him two tablets, then a glass of water.", []string{
		"The nurse gave him a glass of water and two tablets.", "Two tablets and a glass of water were given by the nurse."}},
	{"Rest at home; drink a lot.", []string{"Drink a lot and rest at home.", "Stay home, rest, drink."}},
	{"患者应多喝水，注意休息。", []string{"患者应当注意休息，多喝水。", "请多喝水、多休息。"}},
	{"fever high very and a cough", []string{"a cough and very high fever", "high fever, very bad cough"}},
}

// TestSacrebleu: scores and signatures of sacrebleu 2.6.0 for our own rows.
func TestSacrebleu(t *testing.T) {
	for metric, c := range map[string]struct {
		score     float64
		signature string
	}{
		"bleu:13a":                             {29.173543807953326, "case:mixed|eff:no|tok:13a|smooth:exp"},
		"bleu:13a:smooth=floor":                {29.173543807953326, "case:mixed|eff:no|tok:13a|smooth:floor[0.10]"},
		"bleu:13a:smooth=add-k:smooth_value=2": {37.5022891676693, "case:mixed|eff:no|tok:13a|smooth:add-k[2.00]"},
		"bleu:13a:smooth=none:effective_order": {29.173543807953326, "case:mixed|eff:yes|tok:13a|smooth:none"},
		"bleu:zh:order=2":                      {66.2168005991369, "case:mixed|eff:no|tok:zh|smooth:exp|order:2"},
		"chrf":                                 {62.79769985814171, "case:mixed|eff:yes|nc:6|nw:0|space:no"},
		"chrf++":                               {62.60109800061583, "case:mixed|eff:yes|nc:6|nw:2|space:no"},
		"chrf:lc:whitespace":                   {70.79314892070803, "case:lc|eff:yes|nc:6|nw:0|space:yes"},
		"chrf:eps_smoothing:char_order=3":      {79.30775823239287, "case:mixed|eff:no|nc:3|nw:0|space:no"},
		"chrf:beta=1:word_order=1":             {65.43785026235682, "case:mixed|eff:yes|nc:6|nw:1|space:no"},
		"ter":                                  {63.829787234042556, "case:lc|tok:tercom|norm:no|punct:yes|asian:no"},
		"ter:case_sensitive":                   {68.08510638297872, "case:mixed|tok:tercom|norm:no|punct:yes|asian:no"},
		"ter:normalized":                       {44.44444444444444, "case:lc|tok:tercom|norm:yes|punct:yes|asian:no"},
		"ter:no_punct":                         {38.297872340425535, "case:lc|tok:tercom|norm:no|punct:no|asian:no"},
		"ter:normalized:asian_support":         {37.83783783783784, "case:lc|tok:tercom|norm:yes|punct:yes|asian:yes"},
		"ter:no_punct:asian_support":           {38.297872340425535, "case:lc|tok:tercom|norm:no|punct:no|asian:yes"},
	} {
		r := evaluate(t, metric, nurse)
		if got := r.Metrics[metric]; !near(got, c.score, 1e-9) {
			t.Errorf("%s: %.12f, want %.12f", metric, got, c.score)
		}
		if got, want := r.Signatures[metric], "nrefs:2|"+c.signature+"|version:2.6.0+ft"; got != want {
			t.Errorf("%s: signature %s, want %s", metric, got, want)
		}
	}
}

// TestSmoothing by hand: 3 of 4 words match, 1 of 3 pairs, no triple of 2, and no quadruple of 1.
func TestSmoothing(t *testing.T) {
	pairs := []Pair{{"a b x c", []string{"a b c d"}}}
	mean := func(p ...float64) float64 {
		product := 1.0
		for _, v := range p {
			product *= v
		}
		return 100 * math.Pow(product, 1/float64(len(p)))
	}
	for options, want := range map[string]float64{
		"":                                    mean(3.0/4, 1.0/3, 1.0/2/2, 1.0/4),
		":smooth=none":                        0,
		":smooth=floor":                       mean(3.0/4, 1.0/3, 0.1/2, 0.1),
		":smooth=floor:smooth_value=0.5":      mean(3.0/4, 1.0/3, 0.5/2, 0.5),
		":smooth_value=0:smooth=floor":        0,
		":smooth=add-k":                       mean(3.0/4, 2.0/4, 1.0/3, 1.0/2),
		":smooth=add-k:smooth_value=0.5":      mean(3.0/4, 1.5/3.5, 0.5/2.5, 0.5/1.5),
		":order=1":                            75,
		":order=2":                            mean(3.0/4, 1.0/3),
		":order=5":                            0,
		":order=5:effective_order":            mean(3.0/4, 1.0/3, 1.0/2/2, 1.0/4),
		":order=5:smooth=add-k":               mean(3.0/4, 2.0/4, 1.0/3, 1.0/2, 1),
		":order=2:smooth=none:char":           mean(3.0/4, 1.0/3),
		":effective_order:order=9:lc:none":    mean(3.0/4, 1.0/3, 1.0/2/2, 1.0/4),
		":smooth=exp:order=3:effective_order": mean(3.0/4, 1.0/3, 1.0/2/2),
	} {
		if got := evaluate(t, "bleu"+options, pairs).Metrics["bleu"+options]; !near(got, want, 1e-9) {
			t.Errorf("bleu%s: %.12f, want %.12f", options, got, want)
		}
	}
}

func TestParse_refusesValues(t *testing.T) {
	for list, want := range map[string]string{
		"bleu:smooth=flor":                   `smooth must be exp, floor, add-k or none, got "flor"`,
		"bleu:smooth":                        `unknown option "smooth"`,
		"bleu:smooth=":                       `unknown option "smooth="`,
		"bleu:smoth=exp":                     `did you mean "smooth"?`,
		"bleu:smooth_value=1":                "smooth_value belongs to smooth=floor or smooth=add-k, not to exp",
		"bleu:smooth=floor:smooth_value=-1":  `smooth_value must be a number from 0, got "-1"`,
		"bleu:smooth=floor:smooth_value=NaN": "smooth_value must be a number from 0",
		"bleu:order=0":                       "order=0: must be a number from 1 to 9",
		"bleu:order=2:order=3":               `option "order=3" twice`,
		"chrf:beta=x":                        "beta=x: must be a number from 1 to 100",
		"chrf++:word_order=1":                `unknown option "word_order=1"`,
		"ter:asian_support":                  "asian_support changes nothing without normalized or no_punct",
		"lf:zh":                              `unknown option "zh"`,
	} {
		if _, err := Parse(list); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", list, err, want)
		}
	}
}

// TestTER: edits of short texts by hand.
func TestTER(t *testing.T) {
	for _, c := range []struct {
		hyp, ref string
		want     float64
	}{
		{"a", "a b c d", 75},
		{"x y a b c", "a b c x y", 20}, // one phrase shifted
		{"b a", "a b", 50},
		{"", "a", 100},
		{"a b", "", 100},
		{"", "", 0},
		{"A", "a", 0},
		{"a b c d e", "a", 400},
	} {
		if got := evaluate(t, "ter", []Pair{{c.hyp, []string{c.ref}}}).Metrics["ter"]; got != c.want {
			t.Errorf("%q against %q: %g, want %g", c.hyp, c.ref, got, c.want)
		}
	}
	// The last full stop of the reference, unlike the prediction's, leaves the digit.
	if got := evaluate(t, "ter:normalized", []Pair{{"b ......1 c", []string{"b ......1 c"}}}).Metrics["ter:normalized"]; !near(got, 200.0/9, 1e-9) {
		t.Errorf("a reference is normalised twice: %g", got)
	}
}

// TestLF: scores of LLaMA-Factory's recipe for our own rows, by jieba 0.42.1, rouge-chinese 1.0.3 and nltk 3.10.4.
func TestLF(t *testing.T) {
	for _, c := range []struct {
		hyp, ref string
		want     [4]float64
	}{
		{"\n", "有", [4]float64{}},
		{"", "有", [4]float64{}},
		{"一。\n\n二......三", "一。\n二…三", [4]float64{15.8512, 83.3333, 54.5455, 76.9231}},
		{"好", "好", [4]float64{35.3553, 100, 0, 100}},
		{"...........x ok?", "......x no?", [4]float64{46.8257, 66.6667, 0, 66.6667}},
		{"同样的话。", "同样的话。", [4]float64{100, 100, 100, 100}},
	} {
		got := evaluate(t, "lf", []Pair{{c.hyp, []string{c.ref}}}).Metrics
		for i, name := range lfKinds {
			if got[name] != c.want[i] {
				t.Errorf("%q against %q: %s %v, want %v", c.hyp, c.ref, name, got[name], c.want[i])
			}
		}
	}
	var first []Pair
	for _, p := range nurse {
		first = append(first, Pair{p.Prediction, p.References[:1]})
	}
	got := evaluate(t, "lf", first).Metrics
	for i, want := range []float64{67.1042, 84.053575, 31.526925, 49.99405} {
		if !near(got[lfKinds[i]], want, 1e-9) {
			t.Errorf("%s: %.9f, want %.9f", lfKinds[i], got[lfKinds[i]], want)
		}
	}
	// Of several references the best one counts.
	if got := evaluate(t, "lf", []Pair{{"好", []string{"坏", "好"}}}).Metrics; got["lf:rouge-1"] != 100 || got["lf:bleu-4"] != 35.3553 {
		t.Errorf("two references: %v", got)
	}
}
