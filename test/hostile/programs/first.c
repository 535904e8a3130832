/* Its first instructions are a call that the allow-list alone refuses: nothing
 * ran before them. Then it says the errno, and ends with 7. */
static long call(long n, long a, long b, long c)
{
	long r;
	__asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return r;
}

void _start(void)
{
	long r = call(319 /* memfd_create */, (long)"x", 0, 0);
	char said[] = "errno 000\n";
	long e = r < 0 ? -r : 0;
	said[6] = '0' + e / 100;
	said[7] = '0' + e / 10 % 10;
	said[8] = '0' + e % 10;
	call(1 /* write */, 2, (long)said, sizeof said - 1);
	call(231 /* exit_group */, 7, 0, 0);
	__builtin_unreachable();
}
