// Package tfevents writes the event files that TensorBoard shows: scalars, texts and the
// hyperparameters of a run.
//
// A file is a sequence of records, each
//
//	length  uint64, little-endian
//	crc     uint32, of the 8 bytes above
//	data    an Event message of TensorFlow's event.proto in protobuf encoding
//	crc     uint32, of data
//
// with masked CRC-32C sums (TensorFlow, lib/io/record_writer.h). The first event names the
// version of the format.
package tfevents

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Writer appends events to one file. Events are buffered until Flush or Close. A Writer is for one
// goroutine at a time.
type Writer struct {
	file *os.File
	buf  *bufio.Writer
	now  func() float64 // seconds since 1970
}

// Create makes a new event file in dir, which must exist. The file is named as TensorBoard expects it,
// events.out.tfevents.SECONDS.HOST.PID.N, with the first N that is free.
func Create(dir string) (*Writer, error) {
	stem := fmt.Sprintf("events.out.tfevents.%010d.%s.%d", time.Now().Unix(), hostName(), os.Getpid())
	for n := 0; ; n++ {
		f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("%s.%d", stem, n)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("tfevents: %w", err)
		}
		w := &Writer{file: f, buf: bufio.NewWriter(f), now: seconds}
		if err := w.event(0, fieldFileVersion, []byte("brain.Event:2")); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return w, nil
	}
}

// hostName is the machine's name with what may not stand in a file name replaced.
func hostName() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' {
			return r
		}
		return '-'
	}, name)
}

// Path returns the name of the file.
func (w *Writer) Path() string { return w.file.Name() }

// Scalar adds one point of the curve tag. TensorBoard keeps values as float32.
func (w *Writer) Scalar(tag string, step int, value float64) error {
	v := text(nil, fieldTag, tag)
	v = fixed32(v, fieldSimpleValue, math.Float32bits(float32(value)))
	return w.summary(step, v)
}

// Text adds a text in Markdown for the text plugin.
func (w *Writer) Text(tag string, step int, markdown string) error {
	shape := message(nil, fieldDim, varint(nil, fieldSize, 1))
	tensor := varint(nil, fieldDType, dtypeString)
	tensor = message(tensor, fieldTensorShape, shape)
	tensor = text(tensor, fieldStringVal, markdown)
	return w.plugin(tag, step, "text", nil, tensor)
}

// HParams adds the settings of the run for the HParams plugin. Values are booleans, numbers (int, int64,
// float64) or strings; another type is an error. A run has one such event, before its scalars.
func (w *Writer) HParams(values map[string]any) error {
	var info []byte
	for _, name := range slices.Sorted(maps.Keys(values)) {
		v, err := settingValue(values[name])
		if err != nil {
			return fmt.Errorf("tfevents: hparams: %s: %w", name, err)
		}
		entry := text(nil, fieldMapKey, name)
		entry = message(entry, fieldMapValue, v)
		info = message(info, fieldHParams, entry)
	}
	info = fixed64(info, fieldStartTime, math.Float64bits(w.now()))
	// The plugin reads its metadata only; the tensor, one without elements, is there because an event needs one.
	tensor := varint(nil, fieldDType, dtypeFloat)
	tensor = message(tensor, fieldTensorShape, message(nil, fieldDim, nil))
	return w.plugin("_hparams_/session_start_info", 0, "hparams", message(nil, fieldSessionStart, info), tensor)
}

// settingValue encodes a google.protobuf.Value.
func settingValue(v any) ([]byte, error) {
	number := func(x float64) []byte { return fixed64(nil, fieldNumber, math.Float64bits(x)) }
	switch v := v.(type) {
	case bool:
		n := uint64(0)
		if v {
			n = 1
		}
		return varint(nil, fieldBool, n), nil
	case int:
		return number(float64(v)), nil
	case int64:
		return number(float64(v)), nil
	case float64:
		return number(v), nil
	case string:
		return text(nil, fieldString, v), nil
	}
	return nil, fmt.Errorf("a %T is neither boolean nor number nor string", v)
}

// Restart tells TensorBoard that a run goes on at step: what earlier files of the directory hold from that step
// on is void.
func (w *Writer) Restart(step int) error {
	return w.event(step, fieldSessionLog, varint(nil, fieldStatus, statusStart))
}

// plugin adds a tensor with the metadata that gives it to a plugin.
func (w *Writer) plugin(tag string, step int, name string, content, tensor []byte) error {
	data := text(nil, fieldPluginName, name)
	if content != nil {
		data = message(data, fieldPluginContent, content)
	}
	meta := message(nil, fieldPluginData, data)
	meta = varint(meta, fieldDataClass, dataClassTensor)
	v := text(nil, fieldTag, tag)
	v = message(v, fieldTensor, tensor)
	v = message(v, fieldMetadata, meta)
	return w.summary(step, v)
}

func (w *Writer) summary(step int, value []byte) error {
	return w.event(step, fieldSummary, message(nil, fieldValue, value))
}

func seconds() float64 { return float64(time.Now().UnixNano()) / 1e9 }

// event writes one Event whose content is the given field.
func (w *Writer) event(step int, field int, content []byte) error {
	e := fixed64(nil, fieldWallTime, math.Float64bits(w.now()))
	if step != 0 { // protobuf leaves out zeros
		e = varint(e, fieldStep, uint64(step))
	}
	return w.record(message(e, field, content))
}

func (w *Writer) record(data []byte) error {
	head := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	head = binary.LittleEndian.AppendUint32(head, maskedCRC(head))
	tail := binary.LittleEndian.AppendUint32(nil, maskedCRC(data))
	for _, part := range [][]byte{head, data, tail} {
		if _, err := w.buf.Write(part); err != nil {
			return fmt.Errorf("tfevents: %w", err)
		}
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// maskedCRC is the CRC-32C, rotated and shifted so that a sum over data that holds sums stays a good one.
func maskedCRC(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// Flush hands all events so far to the operating system, so that TensorBoard sees them.
func (w *Writer) Flush() error {
	if err := w.buf.Flush(); err != nil {
		return fmt.Errorf("tfevents: %w", err)
	}
	return nil
}

// Close flushes and closes the file.
func (w *Writer) Close() error {
	err := w.Flush()
	if cerr := w.file.Close(); cerr != nil {
		err = errors.Join(err, fmt.Errorf("tfevents: %w", cerr))
	}
	return err
}
