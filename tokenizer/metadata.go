package tokenizer

import "fmt"

// Metadata is the key–value part of a GGUF file. Value gives strings as string, lists of strings as
// []string, and numbers, bools and their lists in Go's types of the same widths.
type Metadata interface {
	Has(key string) bool
	Value(key string) (any, error)
}

// metaReader reads the keys of a vocabulary and remembers the first error.
type metaReader struct {
	m   Metadata
	err error
}

func (r *metaReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// value returns nil if the key is absent.
func (r *metaReader) value(key string) any {
	if !r.m.Has(key) {
		return nil
	}
	v, err := r.m.Value(key)
	if err != nil {
		r.fail("%w", err)
	}
	return v
}

// typed returns the value of an optional key, or missing; a value of another type is an error.
func typed[T any](r *metaReader, key string, missing T) T {
	switch v := r.value(key).(type) {
	case nil:
		return missing
	case T:
		return v
	default:
		r.fail("%s is %T, not %T", key, v, missing)
		return missing
	}
}

// strings reads a list that must be there.
func (r *metaReader) strings(key string) []string {
	list := typed[[]string](r, key, nil)
	if list == nil {
		r.fail("%s is missing", key)
	}
	return list
}

// id reads a token id below size; without the key it is missing, or -1 where that is no id.
func (r *metaReader) id(key string, missing int32, size int) int32 {
	if int(missing) >= size {
		missing = -1
	}
	n := int64(-1)
	switch v := r.value(key).(type) {
	case nil:
		return missing
	case uint32:
		n = int64(v)
	case int32:
		n = int64(v)
	case uint64:
		n = int64(min(v, 1<<62))
	case int64:
		n = v
	default:
		r.fail("%s is %T, not a number", key, v)
	}
	if n < 0 || n >= int64(size) {
		r.fail("%s is %d, but there are %d tokens", key, n, size)
		return missing
	}
	return int32(n)
}

// types reads tokenizer.ggml.token_type for n tokens; without it all are normal.
func (r *metaReader) types(n int) []int32 {
	const key = "tokenizer.ggml.token_type"
	list := typed[[]int32](r, key, nil)
	if list == nil {
		list = make([]int32, n)
		for i := range list {
			list[i] = typeNormal
		}
	}
	if len(list) != n {
		r.fail("%s has %d entries for %d tokens", key, len(list), n)
	}
	return list
}

// scores reads tokenizer.ggml.scores for n tokens; without it all are 0.
func (r *metaReader) scores(n int) []float32 {
	const key = "tokenizer.ggml.scores"
	var list []float32
	switch v := r.value(key).(type) {
	case nil:
		list = make([]float32, n)
	case []float32:
		list = v
	case []int32:
		list = make([]float32, len(v))
		for i, x := range v {
			list[i] = float32(x)
		}
	default:
		r.fail("%s is %T, not numbers", key, v)
	}
	if len(list) != n {
		r.fail("%s has %d entries for %d tokens", key, len(list), n)
	}
	for i, x := range list {
		if x != x {
			r.fail("%s[%d] is not a number", key, i)
		}
	}
	return list
}
