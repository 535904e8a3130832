// Package desk is a desktop for tests that show real windows: an X server
// without a screen, a small window manager, a message bus of its own, a
// keyboard and a pointer, and pictures of what is to be seen. It exists for
// tests alone and ends with the test that started it.
//
// Windows are never shown by root. A test package that is started as root
// builds its programs and then runs again as an ordinary user:
//
//	func TestMain(m *testing.M) { os.Exit(desk.Main(m, build)) }
//
// That user has no account on the machine. He has one in a mount namespace of
// the test's own, in which the table of accounts has one row more, because the
// message bus serves nobody who has no name.
//
// What a machine lacks is named by the reason for which a test is left out.
package desk
