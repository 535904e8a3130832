package limits

// What the house rules of package arch demand of the source itself.
const (
	// FileLines is the longest file written by hand, in lines: 95 % of the files
	// of well-kept projects are shorter.
	FileLines = 600

	// BareNumber is the largest decimal number that needs no name: up to here
	// they are mostly indexes, radices, widths and the thousand of units.
	BareNumber = 1000

	// BareShift is the smallest shift of a literal that needs a name: from 1 KiB
	// on it is a size, below it is a bit.
	BareShift = 10

	// RangeShift is the smallest shift that is no size but the range of a type:
	// nothing here holds 2 GiB.
	RangeShift = 31
)
