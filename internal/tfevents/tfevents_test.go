package tfevents

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// encodeScalar returns the event that a writer makes at the given time, without its frame.
func encodeScalar(t *testing.T, wall float64, tag string, step int, value float64) []byte {
	t.Helper()
	w, err := Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w.now = func() float64 { return wall }
	if err := w.Scalar(tag, step, value); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	raw, _ := readFile(t, w.Path())
	return raw[1]
}

// sample writes one event of each kind and returns the file's directory.
func sample(t *testing.T) (dir, path string) {
	t.Helper()
	dir = t.TempDir()
	w, err := Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		w.HParams(map[string]any{"rank": 16, "lr": 2e-4, "kind": "lora", "pack": true, "rows": int64(400)}),
		w.Text("text/config", 0, "| 学习率 | 2e-4 |"),
		w.Scalar("train/loss", 1, 2.5),
		w.Scalar("train/loss", 2, 1.25),
		w.Scalar("train/loss", 3, 9),
		w.Restart(3),
		w.Scalar("train/loss", 3, 1),
		w.Scalar("eval/bleu", 3, 12.5),
		w.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir, w.Path()
}

func TestWriter_fields(t *testing.T) {
	_, path := sample(t)
	_, events := readFile(t, path)
	if len(events) != 9 {
		t.Fatalf("%d events", len(events))
	}
	if got := string(events[0].bytes(fieldFileVersion)); got != "brain.Event:2" {
		t.Errorf("first event: version %q", got)
	}
	for i, e := range events {
		wall := math.Float64frombits(e.number(fieldWallTime))
		if age := float64(time.Now().Unix()) - wall; age < -2 || age > 60 {
			t.Errorf("event %d: time %v", i, wall)
		}
	}
	value := events[2].message(t, fieldSummary).message(t, fieldValue)
	tensor := value.message(t, fieldTensor)
	if string(value.bytes(fieldTag)) != "text/config" || string(tensor.bytes(fieldStringVal)) != "| 学习率 | 2e-4 |" {
		t.Errorf("text: tag %q, %q", value.bytes(fieldTag), tensor.bytes(fieldStringVal))
	}
	value = events[4].message(t, fieldSummary).message(t, fieldValue)
	if v := math.Float32frombits(uint32(value.number(fieldSimpleValue))); v != 1.25 || events[4].number(fieldStep) != 2 {
		t.Errorf("scalar: %v at step %d", v, events[4].number(fieldStep))
	}
}

func TestWriter_flushMakesEventsVisible(t *testing.T) {
	w, err := Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.Scalar("a", 1, 1); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, events := readFile(t, w.Path()); len(events) != 2 {
		t.Errorf("%d events after Flush, want 2", len(events))
	}
}

func TestCreate(t *testing.T) {
	dir := t.TempDir()
	names := map[string]bool{}
	for range 3 {
		w, err := Create(dir)
		if err != nil {
			t.Fatal(err)
		}
		if base := filepath.Base(w.Path()); !strings.HasPrefix(base, "events.out.tfevents.") || names[base] {
			t.Errorf("file name %s", base)
		} else {
			names[base] = true
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Create(filepath.Join(dir, "none")); err == nil {
		t.Error("a missing directory is no error")
	}
}

func TestHParams_refuses(t *testing.T) {
	w, err := Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.HParams(map[string]any{"targets": []string{"q_proj"}}); err == nil || !strings.Contains(err.Error(), "targets") {
		t.Errorf("a list: error %v", err)
	}
}

func TestWriter_errorsSurface(t *testing.T) {
	w, err := Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.file.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Scalar("a", 1, 1); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err == nil {
		t.Error("Flush into a closed file is no error")
	}
	if err := w.Close(); err == nil {
		t.Error("Close after a failed write is no error")
	}
}

// askTensorBoard prints as JSON what TensorBoard's own reader finds in a directory.
const askTensorBoard = `
import json, sys
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.plugins.hparams import metadata
acc = event_accumulator.EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "tensors": 0})
acc.Reload()
found = {tag: [[e.step, e.value] for e in acc.Scalars(tag)] for tag in acc.Tags()["scalars"]}
found.update({t: s.decode() for t in acc.PluginTagToContent("text") for s in acc.Tensors(t)[0].tensor_proto.string_val})
content = acc.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
for name, v in metadata.parse_session_start_info_plugin_data(content).hparams.items():
    found["hparams/" + name] = getattr(v, v.WhichOneof("kind"))
print(json.dumps(found))
`

// TestTensorBoard has TensorBoard read a file back. It needs a Python that can import tensorboard:
// python3, or the interpreter that FT_PYTHON names.
func TestTensorBoard(t *testing.T) {
	python := os.Getenv("FT_PYTHON")
	if python == "" {
		python = "python3"
	}
	if err := exec.Command(python, "-c", "import tensorboard").Run(); err != nil {
		t.Skipf("%s cannot import tensorboard: %v", python, err)
	}
	dir, _ := sample(t)
	cmd := exec.Command(python, "-c", askTensorBoard, dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var got map[string]any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	point := func(step, value float64) any { return []any{step, value} }
	want := map[string]any{
		"train/loss":   []any{point(1, 2.5), point(2, 1.25), point(3, 1)},
		"eval/bleu":    []any{point(3, 12.5)},
		"text/config":  "| 学习率 | 2e-4 |",
		"hparams/rank": 16.0, "hparams/lr": 2e-4, "hparams/kind": "lora", "hparams/pack": true, "hparams/rows": 400.0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
