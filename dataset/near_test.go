package dataset

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"ft/internal/near"
)

// TestClean_nearPlanted measures recall and precision of near duplicates that are planted in several ways, against the exact similarity of
// all pairs: every row that is found is as similar as the config asks, and of those that are, at least 99 % are found.
func TestClean_nearPlanted(t *testing.T) {
	const originals, copies = 400, 60
	rng := rand.New(rand.NewPCG(11, 2))
	word := func() string { return fmt.Sprintf("w%d", int(math.Exp(rng.Float64()*8.5))) }
	text := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(word())
			b.WriteString([]string{" ", " ", " ", ", ", ". "}[min(4, rng.IntN(5)*min(1, i))])
		}
		return b.String()
	}
	var rows []Row
	for i := range originals {
		rows = append(rows, Row{ID: fmt.Sprint("o", i), Messages: user(text(8 + rng.IntN(20))), Answer: text(20 + rng.IntN(120))})
	}
	edits := func(s string, n int) string {
		words := strings.Fields(s)
		for range n {
			words[rng.IntN(len(words))] = word()
		}
		return strings.Join(words, " ")
	}
	kinds := []struct {
		name string
		do   func(r Row) Row
	}{
		{"case and punctuation", func(r Row) Row { r.Answer = strings.ToUpper(strings.ReplaceAll(r.Answer, ",", " ;")) + "!"; return r }},
		{"a sentence more", func(r Row) Row { r.Answer += " " + text(5); return r }},
		{"a few words", func(r Row) Row { r.Answer = edits(r.Answer, 2); return r }},
		{"many words", func(r Row) Row { r.Answer = edits(r.Answer, 6); return r }},
		{"sentences turned", func(r Row) Row { a, b, _ := strings.Cut(r.Answer, ". "); r.Answer = b + ". " + a; return r }},
		{"another question", func(r Row) Row { r.Messages = user(edits(r.Messages[0].Content, 3)); return r }},
	}
	for _, k := range kinds {
		for i := range copies {
			r := k.do(rows[rng.IntN(originals)])
			r.ID = fmt.Sprint(k.name, " ", i)
			rows = append(rows, r)
		}
	}
	sets := make([][]uint64, len(rows))
	for i, r := range rows {
		sets[i] = near.Set(r.features(nil))
	}
	c := Default().Clean
	c.Duplicates = off
	report := newReport(len(rows))
	if _, err := Clean(view(rows), c, report); err != nil {
		t.Fatal(err)
	}
	of := map[string]string{}
	for i, id := range report.IDs[nearDuplicate] {
		of[id] = report.Of[nearDuplicate][i]
	}
	index := map[string]int{}
	found, are := map[string]int{}, map[string]int{}
	for i, r := range rows {
		index[r.ID] = i
		kind, _, _ := strings.Cut(r.ID, " "+fmt.Sprint((i-originals)%copies))
		similar := false
		for j := range i {
			similar = similar || near.Jaccard(sets[i], sets[j]) >= c.Similarity
		}
		if similar {
			are[kind]++
			if _, ok := of[r.ID]; ok {
				found[kind]++
			}
		}
	}
	for id, first := range of {
		if s := near.Jaccard(sets[index[id]], sets[index[first]]); s < c.Similarity {
			t.Errorf("%s was found as %s, of similarity %v", id, first, s)
		}
	}
	total, all := 0, 0
	for _, k := range kinds {
		t.Logf("%s: %d of %d copies are similar, %d found", k.name, are[k.name], copies, found[k.name])
		total, all = total+found[k.name], all+are[k.name]
	}
	if all < 3*copies || float64(total) < .99*float64(all) {
		t.Errorf("%d of %d found", total, all)
	}
}
