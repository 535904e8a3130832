package rows

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

func TestMedianAndQuantile(t *testing.T) {
	for _, c := range []struct {
		got, want float64
	}{
		{Median([]float64{3, 1, 2}), 2}, {Median([]float64{4, 1, 2, 3}), 2.5}, {Median(nil), 0},
		{Quantile([]float64{3, 1, 2}, 0.5), 2}, {Quantile([]float64{4, 3, 2, 1}, 0.99), 4}, {Quantile([]float64{7}, 0), 7}, {Quantile(nil, 0.5), 0},
	} {
		if c.got != c.want {
			t.Errorf("%v, want %v", c.got, c.want)
		}
	}
}

// What is written is JSON with all of it, however it is laid out.
func TestWrite(t *testing.T) {
	p := Part{Rows: []Row{New("a", 12.34567, "ms", "<= 15").Beside("b", 4)}, Raw: map[string][]float64{"x": {1, 2}, "y": nil}}
	p.Add("as root: ", Part{Rows: []Row{New("c", 0, "", "")}, Raw: map[string][]float64{"x": {3}}, Notes: map[string]any{"n": 1}})
	file := filepath.Join(t.TempDir(), "out.json")
	var out bytes.Buffer
	if err := Write(&out, file, map[string]any{}, p); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got Part
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	if len(got.Rows) != 2 || got.Rows[0].Value != 12.35 || got.Rows[0].Ratio != 3.088 || len(got.Raw["x"]) != 2 || len(got.Raw["as root: x"]) != 1 || got.Notes["as root: n"] == nil {
		t.Errorf("%+v in %s", got, b)
	}
	if bytes.Count(out.Bytes(), []byte("\n")) != 2 {
		t.Errorf("printed %q", out.String())
	}
}
