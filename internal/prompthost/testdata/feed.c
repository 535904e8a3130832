/* Reads sheets from standard input, each behind its length in 32 bits, and says
 * of each on a line of its own whether it is one. Every sheet has memory of its
 * own, so that a sanitizer sees the first byte beyond it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sheet.h"

int main(void)
{
	static struct sheet s;
	unsigned char head[5];

	while (fread(head, 1, sizeof head, stdin) == sizeof head) {
		size_t n = (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
		unsigned char *b = malloc(n ? n : 1);
		if (!b || fread(b, 1, n, stdin) != n)
			return 1;
		/* A sheet comes in pieces: what is said of a part must not change. */
		ptrdiff_t size = 0;
		for (size_t part = 0; part <= n && size == 0; part++)
			size = sheet_size(b, part);
		if (size == (ptrdiff_t)n && sheet_size(b, n) != size)
			abort();
		const char *wrong = sheet_parse(&s, b, n, head[4] == 'p');
		size_t all = 0;
		for (size_t i = 0; !wrong && i < s.items; i++)
			all += strlen(s.item[i].text);
		for (size_t i = 0; !wrong && i < TAGS; i++)
			all += s.one[i] ? strlen(s.one[i]) : 0;
		if (wrong)
			printf("no %s\n", wrong);
		else
			printf("ok %zu %u %u %u %u %zu\n", s.items, s.rows, s.inert, s.timeout, s.scale, all);
		free(b);
	}
	return 0;
}
