package ipc

import (
	"errors"
	"os"

	"github.com/bailey-run/bailey/internal/errs"
)

// Socket returns both ends of a connection as files, for one process that hands
// them to two others with [WithFiles], and then closes its own. Each takes its end
// by [FromFile].
func Socket() (one, two *os.File, err error) {
	conn, two, err := Pair()
	if err != nil {
		return nil, nil, err
	}
	one, err = conn.File()
	if err = errors.Join(err, conn.Close()); err != nil {
		two.Close()
		return nil, nil, errs.Wrap(errs.Internal, "ipc.socket", err)
	}
	return one, two, nil
}
