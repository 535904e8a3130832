//go:build !linux

package ipc

import (
	"net"
	"os"

	"github.com/bailey-run/bailey/internal/errs"
)

const rightsSpace, truncated = 0, 0

// Pair refuses: this port has no workers yet.
func Pair() (*net.UnixConn, *os.File, error) {
	return nil, nil, errs.New(errs.NotSupported, "ipc.pair")
}

// FromFD refuses: this port has no workers yet.
func FromFD(uintptr) (*net.UnixConn, error) { return nil, errs.New(errs.NotSupported, "ipc.from-fd") }

// FromFile refuses: this port has no workers yet.
func FromFile(*os.File) (*net.UnixConn, error) {
	return nil, errs.New(errs.NotSupported, "ipc.from-file")
}

func send(uintptr, [][]byte, []int) (int, error) { return 0, errs.New(errs.NotSupported, "ipc.send") }

func rights([]byte, int) ([]int, error) { return nil, malformed("descriptors are not supported here") }

func duplicate(*os.File) (int, error) { return -1, errs.New(errs.NotSupported, "ipc.duplicate") }

// Drop closes a connection to a client.
func Drop(conn *net.UnixConn) { conn.Close() }

func closeAll([]int) {}

func closeSoon([]int) {}

func isSocket(int) bool { return false }
