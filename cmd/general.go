package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"ft/dataset"
	"ft/eval"
	"ft/eval/task"
	"ft/internal/textenc"
)

// generalText is a text whose perplexity before and after tuning tells what a model has forgotten.
type generalText struct {
	file  string
	texts []string
}

// loadGeneral reads a text file, or a file of rows: each row's text field is a text of its own, or else its question and its answer,
// a line between them.
func loadGeneral(file string) (*generalText, error) {
	g := &generalText{file: file}
	if dataset.HoldsRows(file) {
		return g, g.readRows()
	}
	f, err := os.Open(file)
	if err != nil {
		return g, fmt.Errorf("general text: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(textenc.NewReader(f))
	switch {
	case err != nil:
		return g, fmt.Errorf("general text: %s: %w", file, err)
	case !utf8.Valid(data):
		return g, fmt.Errorf("general text: %s: it holds bytes that are no text in the file's encoding", file)
	case len(bytes.TrimSpace(data)) == 0:
		return g, fmt.Errorf("general text: %s is empty", file)
	}
	g.texts = []string{string(data)}
	return g, nil
}

func (g *generalText) readRows() error {
	objects, err := dataset.Objects(g.file, dataset.Source{})
	if err != nil {
		return fmt.Errorf("general text: %w", err)
	}
	if _, ok := objects[0].Fields["text"]; !ok {
		c := dataset.Default()
		c.Files = []string{g.file}
		table, _, err := dataset.Load(c, rowSource())
		if err != nil {
			return fmt.Errorf("general text: expected rows with text, or with questions and answers: %w", err)
		}
		defer table.Close()
		for r, err := range table.View().All() {
			if err != nil {
				return err
			}
			g.texts = append(g.texts, r.Question()+"\n"+r.Answer)
		}
		return nil
	}
	var errs []error
	for _, o := range objects {
		var text string
		if raw := o.Fields["text"]; raw == nil || json.Unmarshal(raw, &text) != nil || strings.TrimSpace(text) == "" {
			errs = append(errs, fmt.Errorf("general text: %s: expected a text in the field %q", o.At(), "text"))
			continue
		}
		g.texts = append(g.texts, text)
	}
	return errors.Join(errs[:min(10, len(errs))]...)
}

func (g *generalText) measure(ctx context.Context, m *task.Model, step func(int)) (sum task.TextLikelihood, err error) {
	for _, text := range g.texts {
		t, err := m.Text(ctx, text, step)
		if err != nil {
			return sum, err
		}
		sum.LogLikelihood += t.LogLikelihood
		sum.Tokens += t.Tokens
	}
	return sum, nil
}

// result puts what came of it into the form of metrics.json; base is nil without a base.
func (g *generalText) result(own, base *outcomes, window int) *eval.General {
	var size task.TextSize
	for _, text := range g.texts {
		size.Add(task.SizeOf(text, 0))
	}
	size.Tokens = own.general.Tokens
	r := &eval.General{
		File: g.file, Tokens: size.Tokens, Bytes: size.Bytes, Words: size.Words, Window: window,
		Metrics: task.Perplexities(own.general.LogLikelihood, size),
	}
	if base != nil {
		size.Tokens = base.general.Tokens
		r.Base = &eval.GeneralScores{Metrics: task.Perplexities(base.general.LogLikelihood, size)}
	}
	return r
}
