// Package ipc carries calls between Bailey's processes: core and worker over a
// socketpair, client and core over the core's unix socket. It implements the
// seam of package rpc. The core, package workerkit and the command line's
// client use it; services and subsystems see only rpc.
//
// It refuses, by ending the peer and reporting it, every byte that is not in
// the form below: there is no resynchronising and no leniency. What a message
// means, and whether a grant covers it, is not its business.
//
// # Format
//
// One AF_UNIX SOCK_STREAM socket carries frames both ways. A frame is a header
// of 24 bytes and a body. Integers are little-endian:
//
//	 0  4  length of the body, at most 1 MiB (limits.IPCBody)
//	 4  1  kind
//	 5  1  flags
//	 6  1  number of descriptors
//	 7  1  zero
//	 8  8  stream
//	16  4  method
//	20  4  value
//
// A call is a stream, opened by its client. One side of the connection takes
// odd stream numbers and the other even ones, as agreed beforehand
// ([Options].Even); each side's numbers only grow, and none is zero.
//
//	kind         sent by  method  value               flags  descriptors  body
//	1 request    client   yes     deadline in ms, or  0      0..4         the request
//	                              0 for none
//	2 message    server   0       0                   0      0            one message of a streaming response
//	3 end        server   0       0                   0      0            unary: the response; streaming: empty
//	                                                  1      0            bailey.errors.v1.Error
//	4 cancel     client   0       0                   0      0            empty
//	5 credit     client   0       bytes, not 0        0      0            empty
//
// Every request is answered by exactly one end, also a cancelled one, and
// nothing follows an end on its stream. A client may have 128 streams open
// (limits.IPCStreams); one is open from its request until its end.
//
// Each stream of a streaming method has a window. It starts at 64 KiB
// (limits.IPCWindow); a message costs its length + 64 and may be sent while the
// window is above zero, so the last one may overdraw it; credit adds to it,
// never beyond its start. Each open stream of a peer therefore costs at most
// one window and one message.
//
// The deadline is relative, so no clock is shared. The server's context ends
// by it, and the client gives up by its own clock.
//
// Descriptors travel as SCM_RIGHTS with the first byte of the request that
// names their number, in one sendmsg, and only for methods for which both
// sides agreed to it ([Options].Descriptors). They arrive close-on-exec. Only the
// core sends sockets: a peer's own end of a connection, handed to who waits for its
// end, would keep that from ever coming.
//
// Malformed, and thus the end of the peer, are: a header that is not a row of
// the table; a body longer than the method's limit; a stream number of the
// wrong side, one that does not grow, or (for message and end) is not open; a
// method that the receiver does not serve or this peer may not call; one stream
// too many; a message outside the window; credit beyond what was taken or, like
// cancel, for a stream that never was; a second cancel; an error that does not
// decode; descriptors that no request named or that were cut off
// (MSG_CTRUNC). Cancel and credit for a stream that has ended crossed its end
// on the way and are ignored. The end of the byte stream is an ordinary end,
// also inside a frame: a process that was killed leaves one.
//
// # Back-pressure
//
// One goroutine reads a connection and never waits for anything but bytes: not
// for handlers, not for readers of streams, not for the peer to read. Senders
// wait: for the window of their stream, and for the connection's queue
// (limits.IPCQueue) when the peer does not read. Both waits end with the
// context of the call.
package ipc

import (
	"context"
	"log/slog"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
)

// Options say what a connection is for. The zero value only calls.
type Options struct {
	// Mux holds the methods that the peer may call; nil = none. To pass calls
	// on without decoding them, give it routes whose handlers do that: they get
	// the bytes of the request, checked for size only.
	Mux *rpc.Mux
	// Peer says what the peer is: CALLER_CLIENT or CALLER_CORE, which may call
	// their own methods and those that are passed on to a worker, or CALLER_WORKER,
	// which is what one worker is to another. A peer that is none of them (a worker,
	// as the core sees it) may call nothing.
	Peer policyv1.Caller
	// Even is set by exactly one of the two sides: by the one that was there
	// first, the core towards a client and the worker towards the core.
	Even bool
	// Gone is the code of a call that fails because the peer went away; the
	// default is errs.CoreUnavailable.
	Gone errs.Code
	// Context is the parent of every handler's context: it carries what
	// handlers have to know about the peer. Its end ends the handlers' contexts,
	// not the connection. The default is the background.
	Context context.Context
	// Descriptors returns how many descriptors a request of m may bring, at most
	// limits.IPCDescriptors; nil = none ever. It is called by the reader, so it
	// must not block.
	Descriptors func(m *rpc.Method) int
	// OnMalformed is called at most once, when the peer broke the format and
	// before anything else learns of the end. The reason is one of this
	// package's own phrases, safe for the audit log. It must not block and not
	// call Close.
	OnMalformed func(reason string)
	// Log gets faults of handlers; nil = nothing.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Mux == nil {
		o.Mux = rpc.NewMux()
	}
	if o.Gone == "" {
		o.Gone = errs.CoreUnavailable
	}
	if o.Context == nil {
		o.Context = context.Background()
	}
	if o.Descriptors == nil {
		o.Descriptors = func(*rpc.Method) int { return 0 }
	}
	if o.OnMalformed == nil {
		o.OnMalformed = func(string) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// mayCall reports whether the peer may call methods of caller c.
func (o Options) mayCall(c policyv1.Caller) bool {
	switch o.Peer {
	case policyv1.Caller_CALLER_CLIENT, policyv1.Caller_CALLER_CORE:
		return c == o.Peer || c == policyv1.Caller_CALLER_CLIENT_TO_WORKER || c == policyv1.Caller_CALLER_CLIENT_TO_STORE
	case policyv1.Caller_CALLER_WORKER:
		return c == o.Peer || c == policyv1.Caller_CALLER_CLIENT_TO_WORKER
	}
	return false
}
