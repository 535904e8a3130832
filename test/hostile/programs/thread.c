/* A thread of C's. It says what pthread_create gave on descriptor 2. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static void *run(void *p) { return p; }

int main(void)
{
	pthread_t t;
	char said[32];
	int e = pthread_create(&t, NULL, run, NULL);
	if (e == 0)
		pthread_join(t, NULL);
	int n = snprintf(said, sizeof said, "errno %d\n", e);
	return write(2, said, n) == n ? 7 : 1;
}
