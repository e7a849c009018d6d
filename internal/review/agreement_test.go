package review

import (
	"math"
	"testing"

	"ft/eval"
)

// votes of three readers on ten questions: 0 base, 1 tuned, 2 tie.
var three = [][]float64{{1, 1, 1}, {0, 1, 0}, {2, 2, 1}, {1, 1, 1}, {0, 0, 0}, {1, 2, 1}, {2, 2, 2}, {1, 0, 1}, {1, 1, 0}, {0, 0, 1}}

func firsts(units [][]float64, n int) [][]float64 {
	var out [][]float64
	for _, u := range units {
		out = append(out, u[:n])
	}
	return out
}

// The values are those of scikit-learn's cohen_kappa_score, statsmodels' fleiss_kappa and the package krippendorff.
func TestAgreement(t *testing.T) {
	missing := [][]float64{{1, 1}, {0, 1, 0}, {2, 2, 1}, {1, 1}, {0, 0}, {1, 2}, {2, 2}, {1, 0}, {1, 1}, {0, 0}}
	missing[0] = []float64{1, 1} // the second reader's vote is missing on the first question
	for name, c := range map[string]struct {
		got  *float64
		want float64
	}{
		"Cohen":                    {cohen(firsts(three, 2)), 0.5384615384615384},
		"Fleiss, two readers":      {fleiss(firsts(three, 2)), 0.5348837209302325},
		"Fleiss, three":            {fleiss(three), 0.35483870967741915},
		"Krippendorff, two":        {krippendorff(firsts(three, 2), nominal), 0.5581395348837208},
		"Krippendorff, three":      {krippendorff(three, nominal), 0.37634408602150526},
		"Krippendorff, some votes": {krippendorff(missing, nominal), 0.4580645161290323},
		"Krippendorff, marks":      {krippendorff([][]float64{{5, 4}, {3, 3, 2}, {1, 2, 1}, {4}, {5, 5, 4}, {2, 1, 3}}, interval), 0.7753086419753086},
	} {
		if c.got == nil || math.Abs(*c.got-c.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
	for name, got := range map[string]*float64{
		"Cohen of none": cohen(nil), "Fleiss of none": fleiss(nil), "Krippendorff of none": krippendorff(nil, nominal),
		"Cohen of one value": cohen([][]float64{{1, 1}, {1, 1}}), "Krippendorff of one value": krippendorff([][]float64{{1, 1}, {1, 1}}, nominal),
	} {
		if got != nil {
			t.Errorf("%s is %v, want none", name, *got)
		}
	}
}

// The values are those of statsmodels' proportion_confint and scipy's binomtest.
func TestWilson(t *testing.T) {
	for _, c := range []struct {
		k, n         int
		low, high, p float64
	}{
		{0, 5, 0, 0.43448246478317487, 0.0625}, {3, 10, 0.10779126740630104, 0.6032218525388546, 0.34375},
		{60, 100, 0.5020025867910618, 0.6905987135675411, 0.05688793364098089}, {10, 10, 0.7224672001371106, 1, 0.001953125},
	} {
		low, high := wilson(c.k, c.n)
		p := eval.SignTest(min(c.k, c.n-c.k), c.n)
		if math.Abs(low-c.low)+math.Abs(high-c.high)+math.Abs(p-c.p) > 1e-9 {
			t.Errorf("%d of %d: %v to %v, p %v; want %v to %v, p %v", c.k, c.n, low, high, p, c.low, c.high, c.p)
		}
	}
}
