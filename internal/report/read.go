package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"ft/eval"
	"ft/internal/run"
	"ft/internal/ui"
)

// source is what the files of a run tell.
type source struct {
	name     string // of the directory
	settings settings
	config   string
	info     *run.Info
	log      history
	scores   *eval.Result
	extra    map[string]json.RawMessage // of metrics.json, what eval.Result does not know included
	answers  []answer
	hasBase  bool
	parts    map[string]int // rows of each part
	data     *dataFile
	remarks  []string
}

// settings are the keys of config.yaml that the page speaks of.
type settings struct {
	Base   string `yaml:"base"`
	Method struct {
		Kind string `yaml:"kind"`
	} `yaml:"method"`
	Data struct {
		Files []string `yaml:"files"`
	} `yaml:"data"`
	Eval struct {
		Metrics []string `yaml:"metrics"`
		Best    string   `yaml:"best"`
		Sample  int      `yaml:"sample"`
	} `yaml:"eval"`
}

// answer is a row of the test part with what was answered. Base is empty where the base's answer is not known.
type answer struct {
	run.Prediction
	base    string
	hasBase bool
}

// read reads the files of the run in dir.
func read(dir string) (*source, error) {
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	s := &source{name: filepath.Base(path)}
	base := map[string][]string{}
	found := 0
	for _, f := range []struct {
		name string
		read func([]byte) error
	}{
		{run.ConfigFile, s.readConfig},
		{run.InfoFile, func(b []byte) error { return json.Unmarshal(b, &s.info) }},
		{run.SplitFile, s.readSplit},
		{run.DataFile, func(b []byte) error { return json.Unmarshal(b, &s.data) }},
		{run.LogFile, s.log.read},
		{run.MetricsFile, s.readScores},
		{run.PredictionsFile, s.readAnswers},
		{run.BasePredictionsFile, func(b []byte) error { return readBase(b, base) }},
	} {
		content, err := os.ReadFile(filepath.Join(dir, f.name))
		if errors.Is(err, os.ErrNotExist) {
			s.remarks = append(s.remarks, f.name+" is not there")
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("report: %w", err)
		}
		found++
		if err := f.read(content); err != nil {
			s.remarks = append(s.remarks, ui.EscapeLine(fmt.Sprintf("%s: %v", f.name, err)))
		}
	}
	if found == 0 {
		return nil, fmt.Errorf("report: %s has none of a run's files", dir)
	}
	s.pair(base)
	return s, nil
}

func (s *source) readConfig(b []byte) error {
	s.config = ui.Escape(string(b))
	return yaml.Unmarshal(b, &s.settings)
}

func (s *source) readScores(b []byte) error {
	if err := json.Unmarshal(b, &s.extra); err != nil {
		return err
	}
	return json.Unmarshal(b, &s.scores)
}

func (s *source) readSplit(b []byte) error {
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(b, &parts); err != nil {
		return err
	}
	s.parts = map[string]int{}
	for _, name := range []string{"train", "val", "test"} {
		var ids []json.RawMessage
		if json.Unmarshal(parts[name], &ids) == nil {
			s.parts[name] = len(ids)
		}
	}
	return nil
}

func (s *source) readAnswers(b []byte) error {
	return eachLine(b, func(line []byte) error {
		var a answer
		if err := json.Unmarshal(line, &a.Prediction); err != nil {
			return err
		}
		s.answers = append(s.answers, a)
		return nil
	})
}

// readBase gathers the base's answers by row. A row may have several.
func readBase(b []byte, answers map[string][]string) error {
	return eachLine(b, func(line []byte) error {
		var p run.Prediction
		if err := json.Unmarshal(line, &p); err != nil {
			return err
		}
		answers[p.ID] = append(answers[p.ID], p.Prediction)
		return nil
	})
}

// pair gives each answer the base's.
func (s *source) pair(base map[string][]string) {
	seen := map[string]int{}
	for i := range s.answers {
		a := &s.answers[i]
		if have, k := base[a.ID], seen[a.ID]; k < len(have) {
			a.base, a.hasBase, s.hasBase = have[k], true, true
		}
		seen[a.ID]++
	}
}

// eachLine calls f for every line that is not blank. A last line without its end, which a crash leaves, does not count.
func eachLine(b []byte, f func([]byte) error) error {
	if at := bytes.LastIndexByte(b, '\n'); at >= 0 {
		b = b[:at+1]
	} else {
		b = nil
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, len(b)+1)
	var bad []string
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if err := f(lines.Bytes()); err != nil {
			bad = append(bad, fmt.Sprintf("line %d: %v", n, err))
		}
	}
	switch {
	case len(bad) > 3:
		return fmt.Errorf("%s and %d more lines that cannot be read", strings.Join(bad[:3], "; "), len(bad)-3)
	case len(bad) > 0:
		return errors.New(strings.Join(bad, "; "))
	}
	return lines.Err()
}
