package cmd

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"

	"ft/base"
	"ft/configs"
	"ft/dataset"
	"ft/internal/run"
	"ft/internal/ui"
	"ft/peft"
)

// session is an open base, with or without an adapter, and how it talks.
type session struct {
	base    *base.Base
	adapter peft.Adapter // nil without one
	meta    peft.Meta    // of the adapter
	origin  string       // the base that a model trained as a whole was tuned from; empty for others
	format  dataset.Format
}

// close releases the base's files.
func (s *session) close() { s.base.Close() }

// openSession is openModel for work with text: the base must have a tokenizer and lay out conversations.
func openSession(basePath, adapter string) (*session, error) {
	s, err := openModel(basePath, adapter)
	if err != nil {
		return nil, err
	}
	if s.format, err = s.base.Format(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// openModel opens a base and, unless adapter is empty, puts the adapter on it: a directory in PEFT's format, or a run directory,
// meaning its best adapter. Without a base path the one that the adapter names is used. The template that the adapter was
// trained with takes the place of the base's. A run whose outcome is a whole model is opened as that model.
func openModel(basePath, adapter string) (*session, error) {
	if adapter == "" {
		return openSaved(basePath, nil)
	}
	if dir := wholeModel(adapter); dir != "" {
		if basePath != "" {
			return nil, usageError{fmt.Errorf("--adapter %s is a whole model (%s) and goes on no base: leave out --base", adapter, dir)}
		}
		return openWhole(dir)
	}
	saved, err := peft.Load(adapterDir(adapter))
	if err != nil {
		return nil, err
	}
	return openSaved(basePath, saved)
}

// openSaved is openModel for an adapter that has been read, nil for none.
func openSaved(basePath string, saved *peft.Saved) (*session, error) {
	if basePath == "" && saved != nil {
		basePath = saved.Meta.Base
	}
	if basePath == "" {
		return nil, usageError{errors.New("no base model: give --base, a directory or a .gguf file")}
	}
	b, err := base.Open(basePath, families)
	if err != nil {
		return nil, err
	}
	s := &session{base: b}
	if saved == nil {
		return s, nil
	}
	if err := s.put(saved); err != nil {
		b.Close()
		return nil, err
	}
	return s, nil
}

// openFormat opens a config's base to tokenize with, laid out as the config's data section says. Samples cannot be longer than
// what the base was made for, whatever data.max_tokens allows.
func openFormat(c *configs.Config, streams ui.Streams) (*session, error) {
	b, err := base.Open(c.Base, families)
	if err != nil {
		return nil, err
	}
	if c.Data.Template == "plain" {
		b.UseTemplate("")
	}
	if err := fitContext(c, b.Model.Spec.Context, streams); err != nil {
		b.Close()
		return nil, err
	}
	s := &session{base: b}
	if s.format, err = b.Format(); err != nil {
		b.Close()
		return nil, err
	}
	return s, nil
}

// put puts a saved adapter on the base.
func (s *session) put(saved *peft.Saved) error {
	var err error
	if s.adapter, err = loadAdapter(s.base.Model, saved); err != nil {
		return err
	}
	s.meta = saved.Meta
	if !saved.Meta.Foreign {
		s.base.UseTemplate(saved.Meta.Template)
	}
	return nil
}

// otherBase tells, in a sentence, that the adapter was trained on another base than the one that is open; empty if not, or if the adapter does
// not say.
func (s *session) otherBase() (string, error) {
	if s.meta.BaseHash == "" {
		return "", nil
	}
	files, err := hashFiles(s.base.Files)
	if err != nil || baseHash(files) == s.meta.BaseHash {
		return "", err
	}
	return fmt.Sprintf("the adapter was trained on another base (%s); %s fits in shape, but answers may make no sense", s.meta.Base, s.base.Path), nil
}

// hashFiles identifies files by their content.
func hashFiles(paths []string) ([]run.File, error) {
	out := make([]run.File, 0, len(paths))
	for _, p := range paths {
		f, err := run.HashFile(p)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// baseHash is one hash, in hex, for the files of a base: SHA-256 of their hashes.
func baseHash(files []run.File) string {
	h := sha256.New()
	for _, f := range files {
		h.Write([]byte(f.SHA256))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// adapterDir is the adapter directory that a user's word means: the best adapter of a run, or the directory itself.
func adapterDir(path string) string {
	if exists(filepath.Join(path, run.InfoFile)) {
		return filepath.Join(path, run.AdapterDir)
	}
	return path
}

// loadConfig reads a config file with flags and environment on top.
func loadConfig(file string, set []string, needBase bool) (*configs.Config, error) {
	return readConfig(configs.Options{File: file, Set: set, Env: true, NeedBase: needBase})
}

func readConfig(o configs.Options) (*configs.Config, error) {
	o.Method = methodConfig
	return configs.Load(o)
}

// methodConfig is a kind's settings at their defaults.
func methodConfig(kind string) (any, error) {
	m, err := methodOf(kind)
	if err != nil {
		return nil, err
	}
	return m.config(), nil
}

// loadRunConfig reads the resolved config of a run. Environment and flags do not change it.
func loadRunConfig(r *run.Run) (*configs.Config, error) {
	return readConfig(configs.Options{File: r.Path(run.ConfigFile), NeedBase: true})
}

// data is a config's rows, split.
type data struct {
	table  *dataset.Table
	rows   dataset.View // clean, before the split
	parts  dataset.Parts
	report *dataset.Report
	spared func() // ends the sparing of memory
}

// close gives back what the rows hold; the parts must not be used any more.
func (d *data) close() {
	if d.table != nil {
		d.table.Close()
	}
	d.spared()
}

// rowSource is where the rows of a config come from.
func rowSource() dataset.Source { return dataset.Source{Scratch: cacheDir()} }

// loadData reads, cleans and splits the rows of a config. The caller closes what it returns.
func loadData(c dataset.Config, from dataset.Source) (d *data, err error) {
	d = &data{spared: sparing()}
	defer func() {
		if err != nil {
			d.close()
			d = nil
		}
	}()
	if d.table, d.report, err = dataset.Load(c, from); err != nil {
		return d, err
	}
	if d.rows, err = dataset.Clean(d.table.View(), c.Clean, d.report); err != nil {
		return d, err
	}
	if d.rows.Len() == 0 {
		return d, fmt.Errorf("dataset: no row is left after cleaning (%s)", dropped(d.report))
	}
	d.parts, err = dataset.Split(d.rows, c.Split, from, d.report)
	return d, err
}

// unnoted is c without the search for what is only noted, which takes time, and which training and ft data check tell of.
func unnoted(c dataset.Config) dataset.Config {
	for _, step := range []*string{&c.Clean.Near, &c.Clean.Conflicts, &c.Clean.Outliers, &c.Clean.PII} {
		if *step == "note" {
			*step = "off"
		}
	}
	return c
}
