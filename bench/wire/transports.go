package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"

	"connectrpc.com/connect"
	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
)

// transport is one way to make the call. client returns a function that makes
// it once and checks the answer, and one that ends it.
type transport struct {
	name, title string
	client      func(*net.UnixConn) (func() error, func(), error)
	serve       func(*net.UnixConn) error
}

func transports() []transport {
	return []transport{
		{"echo", "bare echo", echoClient, echoServe},
		{"ipc", "ipc", ipcClient, ipcServe},
		{"ttrpc", "ttrpc v1.2.10", ttrpcClient, ttrpcServe},
		{"connect", "connect v1.21.1, h2c", connectClient, connectServe},
	}
}

func serve(name string) error {
	conn, err := ipc.FromFD(childFD)
	if err != nil {
		return err
	}
	for _, t := range transports() {
		if t.name == name {
			return t.serve(conn)
		}
	}
	return errors.New("no such transport")
}

var errAnswer = errors.New("the answer is not what was sent")

func message() *wrapperspb.BytesValue { return wrapperspb.Bytes(make([]byte, payload)) }

func check(m *wrapperspb.BytesValue) error {
	if len(m.GetValue()) != payload {
		return errAnswer
	}
	return nil
}

func echoClient(c *net.UnixConn) (func() error, func(), error) {
	out, in := make([]byte, payload), make([]byte, payload)
	return func() error {
		if _, err := c.Write(out); err != nil {
			return err
		}
		_, err := io.ReadFull(c, in)
		return err
	}, func() {}, nil
}

func echoServe(c *net.UnixConn) error {
	b := make([]byte, payload)
	for {
		if _, err := io.ReadFull(c, b); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if _, err := c.Write(b); err != nil {
			return err
		}
	}
}

func echoMethod() *rpc.Method {
	return &rpc.Method{Number: 1, Name: "bench.v1.Bench/Echo", Caller: policyv1.Caller_CALLER_CORE, MaxRequest: 4096, MaxResponse: 4096}
}

func ipcClient(c *net.UnixConn) (func() error, func(), error) {
	conn := ipc.New(c, ipc.Options{})
	m, req := echoMethod(), message()
	return func() error {
		b, err := proto.Marshal(req)
		if err != nil {
			return err
		}
		if b, err = conn.Invoke(context.Background(), m, b); err != nil {
			return err
		}
		var res wrapperspb.BytesValue
		if err := proto.Unmarshal(b, &res); err != nil {
			return err
		}
		return check(&res)
	}, func() { conn.Close() }, nil
}

func ipcServe(c *net.UnixConn) error {
	conn := ipc.New(c, ipc.Options{
		Even: true, Peer: policyv1.Caller_CALLER_CORE,
		Mux: rpc.NewMux([]rpc.Route{{Method: echoMethod(), Unary: func(_ context.Context, b []byte) ([]byte, error) {
			var req wrapperspb.BytesValue
			if err := proto.Unmarshal(b, &req); err != nil {
				return nil, err
			}
			return proto.Marshal(&req)
		}}}),
	})
	<-conn.Done()
	return conn.Close()
}

func ttrpcClient(c *net.UnixConn) (func() error, func(), error) {
	cl := ttrpc.NewClient(c)
	req := message()
	return func() error {
		var res wrapperspb.BytesValue
		if err := cl.Call(context.Background(), "bench", "Echo", req, &res); err != nil {
			return err
		}
		return check(&res)
	}, func() { cl.Close() }, nil
}

func ttrpcServe(c *net.UnixConn) error {
	s, err := ttrpc.NewServer()
	if err != nil {
		return err
	}
	s.Register("bench", map[string]ttrpc.Method{"Echo": func(_ context.Context, decode func(any) error) (any, error) {
		req := &wrapperspb.BytesValue{}
		return req, decode(req)
	}})
	l := newListener(c)
	go func() { <-l.closed; s.Close() }()
	if err := s.Serve(context.Background(), l); err != nil && !errors.Is(err, ttrpc.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func h2c() *http.Protocols {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return p
}

func connectClient(c *net.UnixConn) (func() error, func(), error) {
	tr := &http.Transport{Protocols: h2c(), DialContext: func(context.Context, string, string) (net.Conn, error) { return c, nil }}
	cl := connect.NewClient[wrapperspb.BytesValue, wrapperspb.BytesValue](&http.Client{Transport: tr}, "http://bench/bench/Echo")
	req := message()
	return func() error {
		res, err := cl.CallUnary(context.Background(), connect.NewRequest(req))
		if err != nil {
			return err
		}
		return check(res.Msg)
	}, tr.CloseIdleConnections, nil
}

func connectServe(c *net.UnixConn) error {
	mux := http.NewServeMux()
	mux.Handle("/bench/Echo", connect.NewUnaryHandler("/bench/Echo", func(_ context.Context, r *connect.Request[wrapperspb.BytesValue]) (*connect.Response[wrapperspb.BytesValue], error) {
		return connect.NewResponse(r.Msg), nil
	}))
	s := &http.Server{Handler: mux, Protocols: h2c()}
	l := newListener(c)
	go func() { <-l.closed; s.Close() }()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// listener accepts the one connection that the process was handed.
type listener struct {
	conn   chan net.Conn
	addr   net.Addr
	closed chan struct{} // closed with the connection
	once   *sync.Once
}

type closingConn struct {
	*net.UnixConn
	l listener
}

func (c closingConn) Close() error {
	c.l.once.Do(func() { close(c.l.closed) })
	return c.UnixConn.Close()
}

func newListener(c *net.UnixConn) listener {
	l := listener{make(chan net.Conn, 1), c.LocalAddr(), make(chan struct{}), new(sync.Once)}
	l.conn <- closingConn{c, l}
	return l
}

func (l listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l listener) Close() error   { return nil }
func (l listener) Addr() net.Addr { return l.addr }
