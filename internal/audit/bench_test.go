package audit

import (
	"context"
	"testing"
)

func BenchmarkPrepare(b *testing.B) {
	e := newEnv(b)
	l := e.open()
	ev := sample(1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.prepare(ev); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend16(b *testing.B) {
	e := newEnv(b)
	l := e.open()
	ev := sample(1)
	b.SetParallelism(8)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := l.Append(context.Background(), ev); err != nil {
				b.Fatal(err)
			}
		}
	})
}
