package desktop

import "errors"

// ErrNoAccessibility is returned where no accessibility bus can be reached, or
// nothing stands in front of it. A window is shown without one, never with the
// bus itself.
var ErrNoAccessibility = errors.New("desktop: no accessibility bus")
