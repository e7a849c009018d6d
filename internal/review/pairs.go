package review

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"ft/internal/keyed"
	"ft/internal/run"
)

// Pair is a question with the answers of both models.
type Pair struct {
	ID        string
	Prompt    string
	Reference string
	Base      string
	Tuned     string
}

// hash identifies the answers, so that a vote on other ones does not count.
func (p *Pair) hash() string {
	h := sha256.New()
	for _, s := range []string{p.Prompt, p.Base, p.Tuned} {
		fmt.Fprintf(h, "%d:%s", len(s), s)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Pairs are a run's questions.
type Pairs struct {
	List []Pair // those whose answers differ
	Same int    // questions to which both models gave the same answer; there is nothing to judge

	left map[string]string // hashes of the questions that a limit left out, by row
}

// Load reads the answers of a run. With a limit above 0 it takes so many questions, the same ones for a seed.
func Load(r *run.Run, limit int, seed uint64) (*Pairs, error) {
	tuned, err := readAnswers(r.Path(run.PredictionsFile))
	if err != nil {
		return nil, err
	}
	base, err := readAnswers(r.Path(run.BasePredictionsFile))
	if err != nil {
		return nil, err
	}
	before := map[string]run.Prediction{}
	for _, p := range base {
		before[p.ID] = p
	}
	slices.SortStableFunc(tuned, func(a, b run.Prediction) int {
		return cmp.Compare(draw(seed, "", a.ID, "sample"), draw(seed, "", b.ID, "sample"))
	})
	out := &Pairs{left: map[string]string{}}
	for _, p := range tuned {
		b, ok := before[p.ID]
		switch {
		case !ok || b.Prompt != p.Prompt:
			return nil, fmt.Errorf("review: %s has no answer to row %s: run ft eval %s --again", r.Path(run.BasePredictionsFile), p.ID, r.Dir)
		case b.Prediction == p.Prediction:
			out.Same++
		default:
			pair := Pair{p.ID, p.Prompt, p.Reference, b.Prediction, p.Prediction}
			if limit > 0 && len(out.List) == limit {
				out.left[p.ID] = pair.hash()
			} else {
				out.List = append(out.List, pair)
			}
		}
	}
	if len(out.List) == 0 {
		return nil, fmt.Errorf("review: %s: base and tuned model gave the same answer to all of %d questions; there is nothing to judge", r.Dir, out.Same)
	}
	return out, nil
}

// readAnswers reads a predictions file, the last answer to a row counts.
func readAnswers(path string) ([]run.Prediction, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("review: no %s: the run has no answers to judge; ft eval RUN makes them", path)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []run.Prediction
	at := map[string]int{}
	in := bufio.NewReader(f)
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) { // what a crash left unfinished is no row
			return list, nil
		}
		if err != nil {
			return nil, fmt.Errorf("review: %w", err)
		}
		var p run.Prediction
		if err := json.Unmarshal(line, &p); err != nil {
			return nil, fmt.Errorf("review: %s:%d: %w", path, n, err)
		}
		if p.Sample != nil && *p.Sample > 0 {
			continue // of several answers the first is judged
		}
		if i, ok := at[p.ID]; ok {
			list[i] = p
			continue
		}
		at[p.ID] = len(list)
		list = append(list, p)
	}
}

// draw is a random number that depends on nothing but its arguments.
func draw(seed uint64, rater, id, what string) uint64 {
	x := keyed.Mix(seed + keyed.Name(what))
	x = keyed.Mix(x + keyed.Name(rater))
	return keyed.Mix(x + keyed.Name(id))
}

// order is the order in which a reader sees the questions, as indices.
func (p *Pairs) order(seed uint64, rater string) []int {
	list := make([]int, len(p.List))
	for i := range list {
		list[i] = i
	}
	slices.SortStableFunc(list, func(a, b int) int {
		return cmp.Compare(draw(seed, rater, p.List[a].ID, "order"), draw(seed, rater, p.List[b].ID, "order"))
	})
	return list
}

// tunedLeft says whether a reader sees the tuned model's answer on the left.
func tunedLeft(seed uint64, rater, id string) bool { return draw(seed, rater, id, "side")&1 == 0 }
