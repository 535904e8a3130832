//go:build !linux

package proc

import "github.com/bailey-run/bailey/internal/errs"

func refuse() error { return errs.New(errs.NotSupported, "proc") }

func ReadStatus(int) (Status, error)            { return Status{}, refuse() }
func ReadThreadStatus(int, int) (Status, error) { return Status{}, refuse() }
func Namespaces(int) (map[string]string, error) { return nil, refuse() }
func Descriptors(int) ([]Descriptor, error)     { return nil, refuse() }
func Cmdline(int) ([]string, error)             { return nil, refuse() }
func Environ(int) ([]string, error)             { return nil, refuse() }
func Cwd(int) (string, error)                   { return "", refuse() }
func RootEntries(int) ([]string, error)         { return nil, refuse() }
func Mounts(int) ([]Mountpoint, error)          { return nil, refuse() }
func Exe(int) (string, error)                   { return "", refuse() }
func ReadOnlyExe(int) (bool, error)             { return false, refuse() }
func Executable(int) ([]Mapping, error)         { return nil, refuse() }
func Limits(int) (map[string]Limit, error)      { return nil, refuse() }
func Children(int) ([]int, error)               { return nil, refuse() }
func Descendants(int) ([]int, error)            { return nil, refuse() }
func Alive(int) bool                            { return false }
func Readable(int) (bool, error)                { return false, refuse() }
func Maps(string, int) (bool, error)            { return false, refuse() }
func Listeners(int) ([]Listener, error)         { return nil, refuse() }
