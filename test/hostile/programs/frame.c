/* A system call that is never made by an instruction of this program's own flow:
 * a signal's frame is forged, and the return from the handler sets every register
 * at once. Its number and arguments are given as to call.c, numbers alone. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>
#include <unistd.h>

static long long a[7];
long long gave;
static char stack[65536] __attribute__((aligned(16)));

__attribute__((used)) void after(void)
{
	char said[32];
	int n = snprintf(said, sizeof said, "errno %lld\n", gave < 0 ? -gave : 0);
	_exit(write(2, said, n) == n ? 7 : 1);
}

/* gadget makes the call with what is in the registers, and nothing before it. */
__asm__("gadget:\n\tsyscall\n\tmov %rax, gave(%rip)\n\tcall after\n");
extern void gadget(void);

static void forge(int sig, siginfo_t *info, void *p)
{
	greg_t *r = ((ucontext_t *)p)->uc_mcontext.gregs;
	r[REG_RIP] = (greg_t)gadget;
	r[REG_RSP] = (greg_t)(stack + sizeof stack - 64);
	r[REG_RAX] = a[0];
	r[REG_RDI] = a[1];
	r[REG_RSI] = a[2];
	r[REG_RDX] = a[3];
	r[REG_R10] = a[4];
	r[REG_R8] = a[5];
	r[REG_R9] = a[6];
}

int main(int argc, char **argv)
{
	for (int i = 2; i < argc && i < 9; i++)
		a[i - 2] = (long long)strtoull(argv[i], NULL, 0);
	struct sigaction s = {.sa_sigaction = forge, .sa_flags = SA_SIGINFO};
	if (sigaction(SIGILL, &s, NULL))
		return 2;
	__asm__ volatile("ud2");
	return 3;
}
