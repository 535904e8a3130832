package workerkit

import (
	"context"
	"os"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/wire/pdfv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
)

type (
	channelKey struct{}
	kitKey     struct{}
)

func channelOf(ctx context.Context) uint64 { n, _ := ctx.Value(channelKey{}).(uint64); return n }

// ServePeer answers another worker on the socket f, which it takes over. The
// handle's row, which the core pushed and nobody has used, is usable on that
// socket alone from then on, and no other row is usable there. The peer may
// call what a client may call of the worker, and what is for workers, and nothing
// that is the core's. The end of the row ends the connection, and the end of the
// connection the row.
//
// ctx is that of a handler of the core's call.
func ServePeer(ctx context.Context, handle []byte, f *os.File) error {
	const op = "workerkit.serve-peer"
	k, _ := ctx.Value(kitKey{}).(*Kit)
	if k == nil || channelOf(ctx) != 0 {
		f.Close()
		return errs.New(errs.Malformed, op).With("not from the core")
	}
	conn, err := ipc.FromFile(f)
	if err != nil {
		return errs.Wrap(errs.Malformed, op, err)
	}
	channel, g, err := k.rows.bind(handle)
	if err != nil {
		conn.Close()
		return err
	}
	c := ipc.New(conn, ipc.Options{
		Mux: k.peers, Peer: policyv1.Caller_CALLER_WORKER, Even: true, Log: k.cfg.Log, Descriptors: PeerDescriptors,
		Context:     context.WithValue(context.Background(), channelKey{}, channel),
		OnMalformed: func(reason string) { k.cfg.Log.Warn("a peer broke the format", "reason", reason) },
	})
	go func() {
		select {
		case <-c.Done():
			k.rows.drop(handle)
		case <-g.ctx.Done():
		}
		_ = c.Close()
	}()
	return nil
}

// forPeers are the routes that another worker may call.
func forPeers(guarded []rpc.Route) *rpc.Mux {
	var out []rpc.Route
	for _, r := range guarded {
		forPeer := r.Method.Caller == policyv1.Caller_CALLER_CLIENT_TO_WORKER || r.Method.Caller == policyv1.Caller_CALLER_WORKER
		if forPeer && r.Method.Kind != policyv1.Kind_KIND_NONE {
			out = append(out, r)
		}
	}
	return rpc.NewMux(out)
}

// PeerDescriptors says how many descriptors ride on a call of another worker's.
func PeerDescriptors(m *rpc.Method) int {
	if m == pdfv1.PdfServiceTextMethod() {
		return 1
	}
	return 0
}
