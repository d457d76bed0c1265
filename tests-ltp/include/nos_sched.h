/* What cases about the scheduler share. */
#ifndef NOS_SCHED_H
#define NOS_SCHED_H

#include <stdint.h>

/* `struct sched_attr` of sched_setattr(2), which musl does not have. */
struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

#endif
