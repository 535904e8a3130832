package serve

import (
	"testing"

	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/worker/engine"

	"context"
	"time"
)

// What a token costs between the library and the client, who reads on a socket.
// paced says that the library takes a millisecond for each, as real ones do: then
// each is a message of its own.
func BenchmarkToken(b *testing.B) {
	for name, pause := range map[string]time.Duration{"flat out": 0, "paced": time.Millisecond} {
		b.Run(name, func(b *testing.B) {
			l := newLibrary()
			var spent time.Duration
			l.generate = func(_ context.Context, r engine.Request, emit func(engine.Event) error) (engine.Result, error) {
				tick := time.NewTicker(max(pause, 1))
				defer tick.Stop()
				for range b.N {
					if pause > 0 {
						<-tick.C
					}
					start := time.Now()
					if err := emit(engine.Event{Out: &engine.Out{Bytes: []byte(" word")}}); err != nil {
						return engine.Result{}, err
					}
					spent += time.Since(start)
				}
				return engine.Result{Finish: engine.End}, nil
			}
			r := newRig(b, l)
			if _, _, err := r.load(modelv1.Role_ROLE_CHAT); err != nil {
				b.Fatal(err)
			}
			r.put(nil)
			b.ResetTimer()
			h, err := r.generate(b.Context(), &enginev1.GenerateRequest{Text: "x", Stop: []string{"<|im_end|>", "\n\nUser:"}})
			if err != nil || int(h.tokens) != b.N {
				b.Fatal(err)
			}
			b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N), "ns-in-library/token")
			b.ReportMetric(float64(len(h.pieces))/float64(b.N), "messages/token")
		})
	}
}
