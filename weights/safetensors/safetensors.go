// Package safetensors reads and writes Hugging Face's safetensors files: eight bytes with the length of a
// JSON header, the header (name → dtype, shape, place), and the tensors' bytes, which it must describe
// without gap or overlap (https://github.com/huggingface/safetensors, "Format"). Unlike the reference this
// package takes headers that start anywhere, not only at a multiple of eight.
package safetensors

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ft/internal/quant"
	"ft/weights"
)

// Info describes one tensor: its name, its dtype as the format spells it ("F32", "I64" …) and its shape,
// outermost dimension first.
type Info struct {
	Name  string
	DType string
	Shape []int
}

// dtypeBits has the bits of one value of every dtype of the format.
var dtypeBits = map[string]int{
	"BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8,
	"F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
	"I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
	"I64": 64, "U64": 64, "F64": 64, "C64": 64,
}

// usable are the dtypes that Tensor gives and WriteFloats rounds to.
var usable = map[string]quant.Type{"F32": quant.F32, "F16": quant.F16, "BF16": quant.BF16}

// File is an open model, one file or several shards read as one. It is a weights.Source.
type File struct {
	path     string
	mappings []*weights.Mapping
	names    []string
	tensors  map[string]content
	metadata map[string]string
}

type content struct {
	Info
	data []byte
}

// Open maps one file and checks its header completely. A dtype that ft cannot use is no error here.
func Open(path string) (*File, error) {
	f := &File{path: path, tensors: map[string]content{}}
	if err := f.add(path, nil); err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	return f, nil
}

// OpenDir opens the model in a Hugging Face folder: model.safetensors, or the shards that
// model.safetensors.index.json names. Tensors of a shard that the index gives to another one, or to none,
// are left out, as transformers does.
func OpenDir(dir string) (*File, error) {
	single := filepath.Join(dir, "model.safetensors")
	if _, err := os.Stat(single); err == nil {
		return Open(single)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	index := filepath.Join(dir, "model.safetensors.index.json")
	text, err := os.ReadFile(index)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("safetensors: %s: no model.safetensors and no model.safetensors.index.json%s", dir, hint(dir))
	}
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	shards, err := parseIndex(text)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %s: %w", index, err)
	}
	return openShards(dir, index, shards)
}

// hint says what may help a folder without safetensors.
func hint(dir string) string {
	if _, err := os.Stat(dir); err != nil {
		return " (there is no such folder)"
	}
	if old, _ := filepath.Glob(filepath.Join(dir, "pytorch_model*.bin")); len(old) > 0 {
		return "; pytorch_model.bin is a Python pickle, which ft does not read: save the model as safetensors"
	}
	return ""
}

// parseIndex gives the names of each shard's tensors, by the shard's file name.
func parseIndex(text []byte) (map[string][]string, error) {
	d := newDecoder(text)
	var where map[string]string
	err := d.object(func(key string) (err error) {
		if key != "weight_map" {
			var rest any
			return d.Decode(&rest)
		}
		where, err = d.strings()
		return err
	})
	if err == nil {
		err = d.end()
	}
	if err != nil {
		return nil, err
	}
	if len(where) == 0 {
		return nil, errors.New("weight_map names no tensor")
	}
	shards := map[string][]string{}
	for name, file := range where {
		if file == "" || file == "." || file == ".." || strings.ContainsAny(file, "/\\:\x00") {
			return nil, fmt.Errorf("weight_map: tensor %q: %q is no name of a file in the same folder", name, file)
		}
		shards[file] = append(shards[file], name)
	}
	return shards, nil
}

func openShards(dir, index string, shards map[string][]string) (*File, error) {
	files := slices.Sorted(maps.Keys(shards))
	var absent []string
	for _, file := range files {
		if _, err := os.Stat(filepath.Join(dir, file)); errors.Is(err, fs.ErrNotExist) {
			absent = append(absent, file)
		}
	}
	if len(absent) > 0 {
		return nil, fmt.Errorf("safetensors: %s: %d of %d shards are not there: %s", index, len(absent), len(files), strings.Join(absent, ", "))
	}
	f := &File{path: index, tensors: map[string]content{}}
	for _, file := range files {
		if err := f.add(filepath.Join(dir, file), shards[file]); err != nil {
			f.Close()
			return nil, fmt.Errorf("safetensors: %w", err)
		}
	}
	return f, nil
}

// add takes in the tensors of the file at path: those named by only, all of which must be there, or, if it
// is nil, every one.
func (f *File) add(path string, only []string) error {
	m, err := weights.Map(path)
	if err != nil {
		return err
	}
	entries, metadata, err := parse(m.Bytes)
	if err != nil {
		m.Close()
		return fmt.Errorf("%s: %w", path, err)
	}
	f.mappings = append(f.mappings, m)
	if f.metadata == nil {
		f.metadata = metadata
	}
	wanted := make(map[string]bool, len(only))
	for _, name := range only {
		wanted[name] = true
	}
	for _, e := range entries {
		if only != nil && !wanted[e.Name] {
			continue
		}
		delete(wanted, e.Name)
		f.names = append(f.names, e.Name)
		f.tensors[e.Name] = content{e.Info, m.Bytes[e.begin:e.end:e.end]}
	}
	if len(wanted) > 0 {
		return fmt.Errorf("%s: the index puts %d tensors here that it lacks, such as %q", path, len(wanted), slices.Min(slices.Collect(maps.Keys(wanted))))
	}
	return nil
}

// Names gives all tensors in the order of their data, shard after shard.
func (f *File) Names() []string { return slices.Clone(f.names) }

// Metadata gives the header's __metadata__, of the first shard if there are several; nil if it has none.
func (f *File) Metadata() map[string]string { return maps.Clone(f.metadata) }

// Tensor gives a tensor of dtype F32, F16 or BF16. Others are an error that names the dtype; Raw reads them.
func (f *File) Tensor(name string) (weights.Tensor, error) {
	info, data, err := f.Raw(name)
	if err != nil {
		return weights.Tensor{}, err
	}
	typ, ok := usable[info.DType]
	if !ok {
		return weights.Tensor{}, fmt.Errorf("safetensors: %s: tensor %q is %s, ft computes with F32, F16 and BF16 only", f.path, name, info.DType)
	}
	return weights.Tensor{Name: name, Type: typ, Shape: info.Shape, Data: data}, nil
}

// Raw gives a tensor of any dtype as it is described and its bytes, little-endian. They are read-only and
// valid until Close. It serves those who list a file or copy it.
func (f *File) Raw(name string) (Info, []byte, error) {
	t, ok := f.tensors[name]
	if !ok {
		return Info{}, nil, fmt.Errorf("safetensors: %w", weights.Missing(f.path, name, f.names))
	}
	t.Shape = slices.Clone(t.Shape)
	return t.Info, t.data, nil
}

// Close unmaps the files. Tensors that were given out must not be used any more; later calls find none.
func (f *File) Close() error {
	var errs []error
	for _, m := range f.mappings {
		errs = append(errs, m.Close())
	}
	f.mappings, f.names, f.tensors = nil, nil, nil
	return errors.Join(errs...)
}
