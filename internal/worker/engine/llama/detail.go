package llama

import "fmt"

func tooLong(have, room int) string { return fmt.Sprintf("%d tokens, and %d fit", have, room-1) }
