/* x87, SSE and AVX registers survive context switches, forks and signal handlers. */
#include "nos_test.h"
#include <immintrin.h>

static void handler(int number)
{
	/* Spoils every vector register. */
	__asm__ volatile("pcmpeqd %%xmm0, %%xmm0\n\tmovdqa %%xmm0, %%xmm7\n\tmovdqa %%xmm0, %%xmm15" ::: "xmm0", "xmm7", "xmm15");
	(void)number;
}

static int holds(uint64_t seed)
{
	uint64_t in[2] = { seed, ~seed }, out[2] = { 0 };
	long double real = seed, back;
	__asm__ volatile("movdqu %2, %%xmm7\n\t"
			 "fldt %3\n\t"
			 "mov $20000000, %%ecx\n"
			 "1:\tdec %%ecx\n\tjnz 1b\n\t"
			 "movdqu %%xmm7, %0\n\t"
			 "fstpt %1"
			 : "=m"(out), "=m"(back)
			 : "m"(in), "m"(real)
			 : "ecx", "xmm7", "memory");
	return out[0] == in[0] && out[1] == in[1] && back == real;
}

int main(void)
{
	pid_t children[4];
	unsigned int control = _mm_getcsr();
	signal(SIGALRM, handler);
	for (int i = 0; i < 4; i++) {
		children[i] = (pid_t)OK(fork());
		if (children[i] == 0) {
			ualarm(2000, 2000);
			for (int round = 0; round < 5; round++)
				if (!holds(0x1111111111111111ULL * (i + 1) + round))
					_exit(1);
			_exit(0);
		}
	}
	for (int i = 0; i < 4; i++)
		CHECK_EQ(test_wait(children[i]), 0);
	CHECK_EQ(_mm_getcsr(), control);
	return 0;
}
