package chart

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestLook_contrast: text has the contrast with what is behind it that WCAG 2.2 asks for at level AA, 4.5 to 1, and lines of charts have 3 to 1; in
// light, in the dark, and on paper.
func TestLook_contrast(t *testing.T) {
	palettes := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(Look, -1)
	if len(palettes) != 3 {
		t.Fatalf("%d palettes", len(palettes))
	}
	for i, p := range palettes {
		colours := map[string]float64{}
		for _, m := range regexp.MustCompile(`--(\w+): (#[0-9a-f]+);`).FindAllStringSubmatch(p[1], -1) {
			colours[m[1]] = luminance(t, m[2])
		}
		for _, c := range []struct {
			least       float64
			front, back string
		}{
			{4.5, "text soft best bad link", "back"}, {4.5, "text soft", "head"}, {3, "c0 c1 c2 c3 c4 c5 c6 c7", "back"},
		} {
			for name := range strings.FieldsSeq(c.front) {
				front, ok := colours[name]
				if ratio := contrast(front, colours[c.back]); !ok || ratio < c.least {
					t.Errorf("palette %d: %s on %s has a contrast of %.2f, want %g", i, name, c.back, ratio, c.least)
				}
			}
		}
	}
}

// contrast is WCAG's ratio of two relative luminances.
func contrast(a, b float64) float64 { return (max(a, b) + 0.05) / (min(a, b) + 0.05) }

// luminance is WCAG's relative luminance of #rgb or #rrggbb.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	digits := hex[1:]
	if len(digits) == 3 {
		digits = strings.Join([]string{digits[:1], digits[:1], digits[1:2], digits[1:2], digits[2:], digits[2:]}, "")
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(digits[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		v := float64(n) / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		sum += weight * v
	}
	return sum
}
