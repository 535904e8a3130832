/* One system call, made by a program of C that knows nothing of Bailey: its
 * number and up to six arguments, each a number, "s:" and a text, or "z" for a
 * page of zeros. It says the errno on descriptor 2. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char zeros[4096];

int main(int argc, char **argv)
{
	long a[7] = {0};
	char said[32];
	/* The program's and the kind's names come first. */
	for (int i = 2; i < argc && i < 9; i++) {
		if (!strncmp(argv[i], "s:", 2))
			a[i - 2] = (long)(argv[i] + 2);
		else if (!strcmp(argv[i], "z"))
			a[i - 2] = (long)zeros;
		else
			a[i - 2] = (long)strtoull(argv[i], NULL, 0);
	}
	errno = 0;
	syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
	int n = snprintf(said, sizeof said, "errno %d\n", errno);
	return write(2, said, n) == n ? 7 : 1;
}
