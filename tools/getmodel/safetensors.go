package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
)

// maxSafetensorsHeader is the format's own cap (safetensors, "Format").
const maxSafetensorsHeader = 100_000_000

// safetensors is a file of named tensors, in memory.
type safetensors struct {
	entries map[string]safetensor
	data    []byte
}

type safetensor struct {
	Dtype   string    `json:"dtype"`
	Shape   []uint64  `json:"shape"`
	Offsets [2]uint64 `json:"data_offsets"`
}

func parseSafetensors(b []byte) (*safetensors, error) {
	if len(b) < 8 {
		return nil, fmt.Errorf("safetensors: %d bytes", len(b))
	}
	n := binary.LittleEndian.Uint64(b)
	if n > maxSafetensorsHeader || n > uint64(len(b)-8) {
		return nil, fmt.Errorf("safetensors: a header of %d bytes in %d", n, len(b))
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b[8:8+n], &raw); err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	delete(raw, "__metadata__")
	s := &safetensors{entries: map[string]safetensor{}, data: b[8+n:]}
	for name, r := range raw {
		var e safetensor
		if err := json.Unmarshal(r, &e); err != nil {
			return nil, fmt.Errorf("safetensors: %s: %w", name, err)
		}
		s.entries[name] = e
	}
	return s, nil
}

// floats are the bytes of a tensor of 32-bit floats that has this shape.
func (s *safetensors) floats(name string, shape ...uint64) ([]byte, error) {
	e, ok := s.entries[name]
	if !ok {
		return nil, fmt.Errorf("safetensors: no tensor %s", name)
	}
	want := uint64(4)
	for _, d := range shape {
		want *= d
	}
	if e.Dtype != "F32" || !slices.Equal(e.Shape, shape) {
		return nil, fmt.Errorf("safetensors: %s is %s %v, not F32 %v", name, e.Dtype, e.Shape, shape)
	}
	from, to := e.Offsets[0], e.Offsets[1]
	if from > to || to > uint64(len(s.data)) || to-from != want {
		return nil, fmt.Errorf("safetensors: %s lies at %d to %d of %d", name, from, to, len(s.data))
	}
	return s.data[from:to], nil
}
