// Package base opens what a user calls a base model, a Hugging Face directory or a GGUF file: weights, family,
// tokenizer and chat template together.
package base

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"ft/model"
	"ft/tokenizer"
	"ft/weights"
	"ft/weights/gguf"
	"ft/weights/safetensors"
)

// Base is an open base model.
type Base struct {
	Path      string
	Model     *model.Model
	Family    *model.Family
	Tokenizer *tokenizer.Tokenizer // nil for a directory without tokenizer.json, whose model takes token ids alone
	Source    weights.Source
	GGUF      *gguf.File // nil for a Hugging Face directory
	Chat      Chat
	Files     []string // what was read, for the run's record
}

// Open opens the base at path; families are the architectures to choose from. The caller closes it.
func Open(path string, families []*model.Family) (*Base, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("base: %s: %w (a base is a directory with config.json, safetensors and tokenizer.json, or a .gguf file)", path, unwrapPath(err))
	}
	b := &Base{Path: path}
	if info.IsDir() {
		err = b.openDir(families)
	} else {
		err = b.openGGUF(families)
	}
	if err != nil {
		b.Close()
		return nil, fmt.Errorf("base: %s: %w", path, err)
	}
	return b, nil
}

// Close releases files and buffers. The model must not be used afterwards.
func (b *Base) Close() error {
	var errs []error
	if b.Model != nil {
		errs = append(errs, b.Model.Close())
	}
	if b.Source != nil {
		errs = append(errs, b.Source.Close())
	}
	return errors.Join(errs...)
}

func (b *Base) openDir(families []*model.Family) error {
	config, err := b.read("config.json")
	if err != nil {
		return err
	}
	if b.Family, err = familyOf(config, families); err != nil {
		return err
	}
	spec, err := b.Family.FromConfig(config)
	if err != nil {
		return err
	}
	if path := filepath.Join(b.Path, "tokenizer.json"); exists(path) {
		if b.Tokenizer, err = tokenizer.Load(path); err != nil {
			return err
		}
		b.Files = append(b.Files, path)
	}
	src, err := safetensors.OpenDir(b.Path)
	if err != nil {
		return err
	}
	b.Source = src
	files, err := fs.Glob(os.DirFS(b.Path), "*.safetensors")
	if err != nil {
		return err
	}
	for _, name := range files {
		b.Files = append(b.Files, filepath.Join(b.Path, name))
	}
	if err := b.chatFromDir(&spec); err != nil {
		return err
	}
	if b.Model, err = model.Build(spec, b.Family, src, false); err != nil {
		return err
	}
	return b.checkVocabulary()
}

// checkVocabulary refuses a tokenizer with ids that the model has no embedding for. The reverse is common: embeddings are
// padded to round numbers. Special tokens beyond the embedding are let through, because published models have them (a padding
// token that training added); one that is used is an error of the model.
func (b *Base) checkVocabulary() error {
	if b.Tokenizer == nil {
		return nil
	}
	for id := int32(b.Model.Spec.Vocab); int(id) < b.Tokenizer.Size(); id++ {
		if text, ok := b.Tokenizer.Token(id); ok && !b.Tokenizer.IsSpecial(id) {
			return fmt.Errorf("the tokenizer's token %q has id %d, the model's vocabulary has %d tokens", text, id, b.Model.Spec.Vocab)
		}
	}
	return nil
}

// read reads one of the directory's small files and notes it.
func (b *Base) read(name string) ([]byte, error) {
	path := filepath.Join(b.Path, name)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, unwrapPath(err))
	}
	b.Files = append(b.Files, path)
	return data, nil
}

// optional is read for a file that may be absent: nil then.
func (b *Base) optional(name string) ([]byte, error) {
	if _, err := os.Stat(filepath.Join(b.Path, name)); os.IsNotExist(err) {
		return nil, nil
	}
	return b.read(name)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// unwrapPath takes the path out of an error whose message names it already.
func unwrapPath(err error) error {
	if pe, ok := err.(*os.PathError); ok {
		return pe.Err
	}
	return err
}

func (b *Base) openGGUF(families []*model.Family) error {
	f, err := gguf.Open(b.Path)
	if err != nil {
		return err
	}
	b.Source, b.GGUF, b.Files = f, f, []string{b.Path}
	arch, err := f.String("general.architecture")
	if err != nil {
		return err
	}
	var known []string
	for _, fam := range families {
		if fam.FromGGUF == nil {
			continue // its files are read as another family's
		}
		known = append(known, fam.Arch)
		if fam.Arch == arch {
			b.Family = fam
		}
	}
	if b.Family == nil {
		return fmt.Errorf("architecture %q is not supported (have: %s)", arch, strings.Join(known, ", "))
	}
	spec, err := b.Family.FromGGUF(f)
	if err != nil {
		return err
	}
	if err := b.completeGGUF(&spec); err != nil {
		return err
	}
	if b.Tokenizer, err = tokenizer.FromGGUF(f); err != nil {
		return err
	}
	if err := b.chatFromGGUF(&spec); err != nil {
		return err
	}
	if b.Model, err = model.Build(spec, b.Family, f, true); err != nil {
		return err
	}
	return b.checkVocabulary()
}

// completeGGUF reads off the tensors what the metadata of a GGUF file does not say.
func (b *Base) completeGGUF(spec *model.Spec) error {
	embed, err := b.Source.Tensor("token_embd.weight")
	if err != nil {
		return err
	}
	spec.Vocab = embed.Rows()
	floats := func(name string) []float32 {
		t, err := b.Source.Tensor(name)
		if err != nil {
			return nil
		}
		return t.Floats()
	}
	has := func(name string) bool { _, err := b.Source.Tensor(name); return err == nil }
	return b.Family.CompleteGGUF(spec, has, floats)
}
