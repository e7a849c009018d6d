package cmd

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"ft/eval"
	"ft/internal/plainjson"
	"ft/internal/run"
	"ft/peft"
)

// kept is a file of answers in a run. They are added as they are finished, whatever their order, so that an evaluation that was
// interrupted, even killed, goes on; once all are there the file is put in the order of the rows. A row's key tells what its answer
// depends on: model, settings, prompt and sample. An answer whose key is another's is not used.
type kept struct {
	of    *evaluation
	run   *run.Run
	name  string
	rows  *run.Rows
	keys  []string          // of all places, those of a row together
	texts map[string]string // by key
}

// keep opens a file of answers; stamp identifies model and settings.
func (e *evaluation) keep(r *run.Run, name, stamp string) (*kept, error) {
	k := &kept{of: e, run: r, name: name, texts: map[string]string{}}
	for _, row := range e.rows {
		for s := range e.how.Samples {
			key, err := digest(stamp, row.ID, row.Messages, string(row.Tools), s)
			if err != nil {
				return nil, err
			}
			k.keys = append(k.keys, key[:16])
		}
	}
	open := r.Append // without what a crash has torn
	if e.again && !e.partial {
		open = r.Replace
	}
	var err error
	if k.rows, err = open(name); err != nil {
		return nil, err
	}
	if !e.again {
		err = k.read(r.Path(name))
	}
	if err != nil {
		return nil, errors.Join(err, k.close())
	}
	return k, nil
}

// read adds the answers of a file to those that are there; of none if there is no file.
func (k *kept) read(path string) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	n := 0
	for line := range bytes.Lines(data) {
		if n++; line[len(line)-1] != '\n' {
			break // torn by a crash
		}
		var p run.Prediction
		if err := json.Unmarshal(line, &p); err != nil {
			return fmt.Errorf("%s:%d: not a row of answers (%w); with --again ft eval writes the file anew", path, n, err)
		}
		if p.Key != "" {
			k.texts[p.Key] = p.Prediction
		}
	}
	return nil
}

// text is the answer in a place, if it is there.
func (k *kept) text(p place) (string, bool) {
	if k == nil {
		return "", false
	}
	text, ok := k.texts[k.key(p)]
	return text, ok
}

// key identifies what an answer depends on.
func (k *kept) key(p place) string { return k.keys[p.row*k.of.how.Samples+p.sample] }

// prediction is an answer's row.
func (k *kept) prediction(p place, text string) run.Prediction {
	r, how := k.of.rows[p.row], k.of.how
	out := run.Prediction{ID: r.ID, Prompt: r.Question(), Prediction: text, Reference: r.Reference(), Key: k.key(p)}
	if how.Samples > 1 {
		out.Sample = &p.sample
	}
	if how := special(how); how != nil {
		out.Decoding = how
	}
	return out
}

// add writes an answer.
func (k *kept) add(p place, text string) error {
	if k == nil {
		return nil
	}
	return k.rows.Write(k.prediction(p, text))
}

// finish puts all answers in order, unless they are only some of what the file is for.
func (k *kept) finish(pairs []eval.Pair) error {
	if k == nil || k.of.partial {
		return nil
	}
	var all []byte
	samples := k.of.how.Samples
	for i, pair := range pairs {
		line, err := plainjson.Marshal(k.prediction(place{i / samples, i % samples}, pair.Prediction), "")
		if err != nil {
			return fmt.Errorf("%s: %w", k.run.Path(k.name), err)
		}
		all = append(all, line...)
	}
	if err := k.close(); err != nil {
		return err
	}
	if have, err := os.ReadFile(k.run.Path(k.name)); err == nil && bytes.Equal(have, all) {
		return nil
	}
	return k.run.WriteFile(k.name, all)
}

// close closes the file, if it is open.
func (k *kept) close() error {
	if k.rows == nil {
		return nil
	}
	rows := k.rows
	k.rows = nil
	return rows.Close()
}

// stamps identify the two models of a run together with how they answer.
type stamps struct{ base, tuned string }

func (e *evaluation) stamps(r *run.Run) (stamps, error) {
	dir := wholeModel(r.Dir)
	if dir == "" {
		dir = r.Path(run.AdapterDir)
	}
	if !exists(dir) {
		return stamps{}, fmt.Errorf("%s: the run has no adapter: it ended before there was one", r.Dir)
	}
	meta, _, err := peft.ReadMeta(dir)
	if err != nil {
		return stamps{}, fmt.Errorf("%s: %w", dir, err)
	}
	how := e.how
	if how.Samples = 0; how.Temperature == 0 { // a sample does not depend on their number, nor a greedy answer on the seed
		how.Seed = 0
	}
	base := meta.BaseHash
	if base == "" {
		base = meta.Base
	}
	var s stamps
	if s.base, err = digest(base, meta.Template, e.system, how); err != nil {
		return s, err
	}
	weights, err := digestDir(dir)
	if err == nil {
		s.tuned, err = digest(s.base, weights)
	}
	return s, err
}

// digest is a hash, in hex, of what JSON can hold.
func digest(parts ...any) (string, error) {
	data, err := json.Marshal(parts)
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), err
}

// digestDir identifies an adapter or model by its files. A README, which people edit, is none of them.
func digestDir(dir string) ([]run.File, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []run.File
	for _, entry := range entries {
		if !entry.Type().IsRegular() || entry.Name() == "README.md" {
			continue
		}
		f, err := run.HashFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		f.Path = entry.Name() // wherever the run lies
		out = append(out, f)
	}
	return out, nil
}
