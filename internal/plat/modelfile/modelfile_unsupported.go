//go:build !linux

package modelfile

import (
	"os"

	"github.com/bailey-run/bailey/internal/errs"
)

func refuse() error { return errs.New(errs.NotSupported, "modelfile") }

// Every function here refuses with errs.NotSupported; see the Linux file for
// what they promise.

type Watcher struct{}
type Lease struct{}

func OpenSource(string) (*File, error)                { return nil, refuse() }
func Adopt(*os.File) (*File, error)                   { return nil, refuse() }
func (f *File) Now() (Identity, error)                { return Identity{}, refuse() }
func NewWatcher() *Watcher                            { return &Watcher{} }
func (w *Watcher) Close()                             {}
func (w *Watcher) Hold(*File, func()) (*Lease, error) { return nil, refuse() }
func (l *Lease) Release()                             {}
func HandedOver(*os.File) (uint64, error)             { return 0, refuse() }
