package tfevents

import "encoding/binary"

// Field numbers, from TensorBoard's .proto files.
const (
	// event.proto: Event, SessionLog
	fieldWallTime    = 1
	fieldStep        = 2
	fieldFileVersion = 3
	fieldSummary     = 5
	fieldSessionLog  = 7
	fieldStatus      = 1
	statusStart      = 1

	// summary.proto: Summary, Summary.Value, SummaryMetadata, PluginData
	fieldValue         = 1
	fieldTag           = 1
	fieldSimpleValue   = 2
	fieldTensor        = 8
	fieldMetadata      = 9
	fieldPluginData    = 1
	fieldDataClass     = 4
	dataClassTensor    = 2
	fieldPluginName    = 1
	fieldPluginContent = 2

	// tensor.proto, tensor_shape.proto, types.proto
	fieldDType       = 1
	fieldTensorShape = 2
	fieldStringVal   = 8
	fieldDim         = 2
	fieldSize        = 1
	dtypeFloat       = 1
	dtypeString      = 7

	// hparams/plugin_data.proto: HParamsPluginData, SessionStartInfo and its map's entries
	fieldSessionStart = 3
	fieldHParams      = 1
	fieldStartTime    = 5
	fieldMapKey       = 1
	fieldMapValue     = 2

	// struct.proto: Value
	fieldNumber = 2
	fieldString = 3
	fieldBool   = 4
)

// Wire types of the protobuf encoding.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

func key(b []byte, field, wire int) []byte { return binary.AppendUvarint(b, uint64(field<<3|wire)) }

func varint(b []byte, field int, v uint64) []byte {
	return binary.AppendUvarint(key(b, field, wireVarint), v)
}

func fixed64(b []byte, field int, v uint64) []byte {
	return binary.LittleEndian.AppendUint64(key(b, field, wireFixed64), v)
}

func fixed32(b []byte, field int, v uint32) []byte {
	return binary.LittleEndian.AppendUint32(key(b, field, wireFixed32), v)
}

func message(b []byte, field int, m []byte) []byte {
	return append(binary.AppendUvarint(key(b, field, wireBytes), uint64(len(m))), m...)
}

func text(b []byte, field int, s string) []byte { return message(b, field, []byte(s)) }
