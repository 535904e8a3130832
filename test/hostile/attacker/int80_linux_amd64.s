//go:build bailey_hostile

#include "textflag.h"

// func open32(path uintptr) (fd int32)
// open(2) by the 32-bit call gate; path must lie below 4 GiB.
TEXT ·open32(SB), NOSPLIT, $0-12
	MOVQ path+0(FP), BX
	MOVL $5, AX
	XORL CX, CX
	XORL DX, DX
	INT  $0x80
	MOVL AX, ret+8(FP)
	RET
