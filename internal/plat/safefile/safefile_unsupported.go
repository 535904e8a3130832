//go:build !linux

package safefile

import (
	"os"

	"github.com/bailey-run/bailey/internal/errs"
)

func refuse(op string) error { return errs.New(errs.NotSupported, "safefile."+op) }

// Dir is an open directory of Bailey's state.
type Dir struct{}

// File is an open file of a [Dir].
type File struct{}

// Lock is an exclusive lock.
type Lock struct{}

// Every function here refuses with errs.NotSupported; see the Linux file for
// what they promise.

func OpenDir(string) (*Dir, error)  { return nil, refuse("opendir") }
func OpenCopy(string) (*Dir, error) { return nil, refuse("opendir") }
func MakeDir(string) (*Dir, error)  { return nil, refuse("mkdir") }

func (d *Dir) Path() string                           { return "" }
func (d *Dir) WithHook(Hook) *Dir                     { return d }
func (d *Dir) Close() error                           { return nil }
func (d *Dir) Sub(string) (*Dir, error)               { return nil, refuse("mkdir") }
func (d *Dir) OpenSub(string) (*Dir, error)           { return nil, refuse("open") }
func (d *Dir) Open(string) (*File, error)             { return nil, refuse("open") }
func (d *Dir) OpenWrite(string) (*File, error)        { return nil, refuse("open") }
func (d *Dir) OpenAppend(string) (*File, bool, error) { return nil, false, refuse("open") }
func (d *Dir) Read(string, int64) ([]byte, error)     { return nil, refuse("read") }
func (d *Dir) Publish(string, []byte) error           { return refuse("publish") }
func (d *Dir) Move(string, *Dir, string) error        { return refuse("rename") }
func (d *Dir) Remove(string) error                    { return refuse("unlink") }
func (d *Dir) List() ([]string, error)                { return nil, refuse("list") }
func (d *Dir) Free() (uint64, error)                  { return 0, refuse("statfs") }
func (d *Dir) Lock(string) (*Lock, error)             { return nil, refuse("lock") }
func (d *Dir) Holder(string) (bool, int, error)       { return false, 0, refuse("lock") }
func (l *Lock) Close() error                          { return nil }
func (f *File) Write([]byte) (int, error)             { return 0, refuse("write") }
func (f *File) WriteAt([]byte, int64) (int, error)    { return 0, refuse("write") }
func (f *File) Read([]byte) (int, error)              { return 0, refuse("read") }
func (f *File) ReadAt([]byte, int64) (int, error)     { return 0, refuse("read") }
func (f *File) Truncate(int64) error                  { return refuse("truncate") }
func (f *File) Sync() error                           { return refuse("sync") }
func (f *File) Size() (int64, error)                  { return 0, refuse("stat") }
func (f *File) Stamp() (Stamp, error)                 { return Stamp{}, refuse("stat") }
func (f *File) Close() error                          { return nil }
func (f *File) Protect() error                        { return refuse("chmod") }
func (f *File) Handover() *os.File                    { return nil }
