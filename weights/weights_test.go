package weights

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ft/internal/quant"
)

func TestTensor(t *testing.T) {
	cases := []struct {
		shape      []int
		rows, cols int
	}{
		{nil, 1, 1}, {[]int{3}, 1, 3}, {[]int{2, 3}, 2, 3}, {[]int{2, 2, 3}, 4, 3}, {[]int{0, 3}, 0, 3},
	}
	for _, c := range cases {
		x := Tensor{Type: quant.BF16, Shape: c.shape}
		if x.Rows() != c.rows || x.Cols() != c.cols {
			t.Errorf("%v: %d rows, %d columns, want %d and %d", c.shape, x.Rows(), x.Cols(), c.rows, c.cols)
		}
	}
	x := Tensor{Type: quant.BF16, Shape: []int{1, 2}, Data: []byte{0x80, 0x3f, 0, 0xc0}}
	if got := x.Floats(); !slices.Equal(got, []float32{1, -2}) {
		t.Errorf("%v", got)
	}
}

func TestSize(t *testing.T) {
	cases := []struct {
		typ   quant.Type
		shape []int
		want  int
		err   string
	}{
		{quant.F32, nil, 4, ""}, {quant.F16, []int{3, 5}, 30, ""}, {quant.Q4_0, []int{3, 64}, 108, ""},
		{quant.Q6_K, []int{2, 512}, 840, ""}, {quant.F32, []int{0, 7}, 0, ""}, {quant.Q4_0, []int{0}, 0, ""},
		{quant.Q4_0, []int{32, 31}, 0, "multiple of 32"}, {quant.Q4_0, nil, 0, "multiple of 32"},
		{quant.F32, []int{-1}, 0, "negative"}, {quant.F32, []int{math.MaxInt}, 0, "too large"},
		{quant.F32, []int{math.MaxInt / 8, 16}, 0, "too large"}, {quant.F32, []int{-1, -1}, 0, "negative"},
		{quant.F32, []int{math.MaxInt / 4, 4, 0}, 0, "too large"}, {quant.Type(99), nil, 0, "type 99 is unknown"},
	}
	for _, c := range cases {
		got, err := Size(c.typ, c.shape)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s %v: %d (%v), want %d, %q", c.typ, c.shape, got, err, c.want, c.err)
		}
	}
}

func TestMissing(t *testing.T) {
	names := []string{"blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.10.attn_q.weight", "token_embd.weight", "output.weight"}
	cases := []struct{ name, want string }{
		{"blk.0.attn_q.wieght", `m: no tensor "blk.0.attn_q.wieght" (close: "blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.10.attn_q.weight")`},
		{"outputs.weight", `m: no tensor "outputs.weight" (close: "output.weight")`},
		{"zz", `m: no tensor "zz" (it has 5 tensors, none with a name like it)`},
		{"", `m: no tensor "" (it has 5 tensors, none with a name like it)`},
	}
	for _, c := range cases {
		err := Missing("m", c.name, names)
		if !errors.Is(err, ErrNoTensor) || err.Error() != c.want {
			t.Errorf("%s, want %s", err, c.want)
		}
	}
}

func TestMap(t *testing.T) {
	dir := t.TempDir()
	for _, content := range []string{"", "x", strings.Repeat("many pages ", 10_000)} {
		path := filepath.Join(dir, "a")
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		m, err := Map(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(m.Bytes) != content {
			t.Errorf("%d bytes mapped, want %d", len(m.Bytes), len(content))
		}
		if err := m.Close(); err != nil || m.Bytes != nil {
			t.Errorf("Close left %d bytes (%v)", len(m.Bytes), err)
		}
		if err := m.Close(); err != nil {
			t.Errorf("a second Close: %v", err)
		}
	}
	if _, err := Map(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := Map(filepath.Join(dir, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
