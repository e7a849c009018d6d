package kernels

import (
	"reflect"
	"testing"
	"time"
	"unsafe"
)

// TestSelfTest_passes: no backend that this CPU has instructions for is left out.
func TestSelfTest_passes(t *testing.T) {
	if have, want := len(backends), len(assembly())+1; have != want {
		t.Errorf("%d of %d backends pass the self-test: %v", have, want, Backends())
	}
}

// TestSelfTest_notices: the self-test fails on a backend that has any one function wrong in one value.
func TestSelfTest_notices(t *testing.T) {
	twins := map[string]bool{"lay.round": true, "lay.pairs": true, "lay.interleave": true} // without bfloat16
	want, mem := probed(&generic, make([]float32, probeWords)), make([]float32, probeWords)
	for _, good := range backends[:len(backends)-1] { // the last one is the twin itself
		if !agree(probed(good, mem), want) {
			t.Fatalf("%s fails", good.name)
		}
		check := func(what string, bad *backend) {
			if agree(probed(bad, mem), want) {
				t.Errorf("%s: a wrong %s goes unnoticed", good.name, what)
			}
		}
		for part := range map[string]bool{"lay": true, "vec": true, "ops": true} {
			for i := range reflect.TypeOf(*good).NumField() {
				if reflect.TypeOf(*good).Field(i).Name != part {
					continue
				}
				fields := reflect.TypeOf(*good).Field(i).Type
				for j := range fields.NumField() {
					name := part + "." + fields.Field(j).Name
					if good.bf16 == nil && twins[name] {
						continue
					}
					bad := *good
					spoil(reflect.ValueOf(&bad).Elem().Field(i).Field(j))
					check(name, &bad)
				}
			}
		}
		for _, name := range []string{"f32", "bf16", "dequantize", "rows", "rowsBF16", "roundRow", "dots", "mix", "dotsBF16", "mixBF16", "gain"} {
			bad := *good
			f := reflect.ValueOf(&bad).Elem().FieldByName(name)
			if f.IsNil() {
				continue
			}
			spoil(f)
			check(name, &bad)
		}
	}
}

// spoil makes a function wrong: what it returns or, if that is nothing, the first value it writes is off by one.
func spoil(field reflect.Value) {
	field = reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem() // unexported fields cannot be set otherwise
	right := reflect.ValueOf(field.Interface())
	field.Set(reflect.MakeFunc(field.Type(), func(args []reflect.Value) []reflect.Value {
		out := right.Call(args)
		if len(out) > 0 {
			return []reflect.Value{reflect.ValueOf(out[0].Float() + 1).Convert(out[0].Type())}
		}
		for args[0].Kind() != reflect.Slice { // rows has the backend first
			args = args[1:]
		}
		v := args[0].Index(0)
		v.SetFloat(v.Float() + 1)
		return nil
	}))
}

// TestSelfTest_quick: the self-test of all backends must not be felt at start.
func TestSelfTest_quick(t *testing.T) {
	if raceDetector {
		t.Skip("not quick under the race detector")
	}
	best := time.Hour
	for range 20 {
		begun := time.Now()
		usable(backends)
		best = min(best, time.Since(begun))
	}
	t.Log(best)
	if best > 20*time.Millisecond {
		t.Errorf("took %v", best)
	}
}
