// Package gguf reads and writes GGUF, the model files of llama.cpp: metadata as typed keys and values, a list
// of tensors, and their data, aligned (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). It reads
// versions 2 and 3, little-endian, in one file. Tensors keep their names and, unlike in Hugging Face files,
// llama's query and key rows keep the order that llama.cpp's converter gives them.
package gguf

import (
	"fmt"
	"slices"

	"ft/internal/quant"
	"ft/weights"
)

// Info describes one tensor. Shape is outermost first, [out,in] for a linear layer: the reverse of the
// order in the file.
type Info struct {
	Name  string
	Type  quant.Type
	Shape []int
}

// File is an open GGUF file. It is a weights.Source.
type File struct {
	path    string
	mapping *weights.Mapping
	header  []byte
	keys    []string
	values  map[string]value
	names   []string
	tensors map[string]content
}

type content struct {
	Info
	data []byte // empty if the format is unknown
}

// Open maps the file at path and checks every key, value and tensor description. A tensor in a format
// that ft cannot read is no error here.
func Open(path string) (*File, error) {
	m, err := weights.Map(path)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	f, err := parse(m.Bytes)
	if err != nil {
		m.Close()
		return nil, fmt.Errorf("gguf: %s: %w", path, err)
	}
	f.path, f.mapping = path, m
	return f, nil
}

// Names gives all tensors in the order of the file.
func (f *File) Names() []string { return slices.Clone(f.names) }

// Info describes a tensor of any format, or is an error that is weights.ErrNoTensor.
func (f *File) Info(name string) (Info, error) {
	t, ok := f.tensors[name]
	if !ok {
		return Info{}, fmt.Errorf("gguf: %w", weights.Missing(f.path, name, f.names))
	}
	t.Shape = slices.Clone(t.Shape)
	return t.Info, nil
}

// Tensor gives a tensor. One in a format that ft cannot read is an error that names the format.
func (f *File) Tensor(name string) (weights.Tensor, error) {
	info, err := f.Info(name)
	if err != nil {
		return weights.Tensor{}, err
	}
	if !info.Type.Known() {
		return weights.Tensor{}, fmt.Errorf("gguf: %s: tensor %q is %s, which ft cannot read", f.path, name, info.Type)
	}
	return weights.Tensor{Name: name, Type: info.Type, Shape: info.Shape, Data: f.tensors[name].data}, nil
}

// Header is all that stands before the tensors' data: every key and value, and the list of tensors. It is read-only and
// valid until Close.
func (f *File) Header() []byte { return f.header }

// Close unmaps the file. Tensors that were given out must not be used any more; later calls find none.
func (f *File) Close() error {
	f.keys, f.values, f.names, f.tensors, f.header = nil, nil, nil, nil, nil
	return f.mapping.Close()
}
