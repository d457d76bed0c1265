/* What the cases about netlink share: a socket, requests with attributes, answers. */
#ifndef NOS_NETLINK_H
#define NOS_NETLINK_H

#include "nos_test.h"
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

/* A request under construction: the header, the fixed part, attributes. */
struct request {
	struct nlmsghdr header;
	char rest[512];
};

static unsigned next_sequence = 1;

/* A socket that talks to the kernel about interfaces; "groups" as in struct sockaddr_nl. */
static inline int open_netlink(unsigned groups)
{
	struct sockaddr_nl own = { .nl_family = AF_NETLINK, .nl_groups = groups };
	int fd = (int)OK(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
	OK(bind(fd, (struct sockaddr *)&own, sizeof own));
	return fd;
}

static inline void begin_request(struct request *request, int kind, int flags, const void *fixed, size_t length)
{
	memset(request, 0, sizeof *request);
	request->header.nlmsg_len = NLMSG_LENGTH(length);
	request->header.nlmsg_type = (uint16_t)kind;
	request->header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	request->header.nlmsg_seq = next_sequence++;
	memcpy(NLMSG_DATA(&request->header), fixed, length);
}

static inline void add_attribute(struct request *request, int kind, const void *value, size_t length)
{
	struct rtattr *attribute = (void *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));
	attribute->rta_type = (uint16_t)kind;
	attribute->rta_len = (uint16_t)RTA_LENGTH(length);
	memcpy(RTA_DATA(attribute), value, length);
	request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + RTA_ALIGN(attribute->rta_len);
}

static inline void add_word(struct request *request, int kind, uint32_t value)
{
	add_attribute(request, kind, &value, sizeof value);
}

static inline void send_request(int fd, const struct request *request)
{
	CHECK_EQ(send(fd, request, request->header.nlmsg_len, 0), request->header.nlmsg_len);
}

/* Sends a request and reads its acknowledgement: 0, or the error as a positive number. */
static inline int ask(int fd, struct request *request)
{
	char buffer[1024];
	request->header.nlmsg_flags |= NLM_F_ACK;
	send_request(fd, request);
	ssize_t length = OK(recv(fd, buffer, sizeof buffer, 0));
	struct nlmsghdr *header = (void *)buffer;
	CHECK(NLMSG_OK(header, length));
	CHECK_EQ(header->nlmsg_type, NLMSG_ERROR);
	CHECK_EQ(header->nlmsg_seq, request->header.nlmsg_seq);
	struct nlmsgerr *error = NLMSG_DATA(header);
	CHECK_EQ(memcmp(&error->msg, &request->header, sizeof error->msg), 0);
	return -error->error;
}

/* The attribute of a kind behind a message's fixed part, or NULL. */
static inline struct rtattr *find_attribute(struct nlmsghdr *header, size_t fixed, int kind)
{
	int left = (int)(header->nlmsg_len - NLMSG_LENGTH(fixed));
	struct rtattr *attribute = (void *)((char *)NLMSG_DATA(header) + NLMSG_ALIGN(fixed));
	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		if (attribute->rta_type == kind)
			return attribute;
	return NULL;
}

static inline uint32_t word_of(struct nlmsghdr *header, size_t fixed, int kind)
{
	struct rtattr *attribute = find_attribute(header, fixed, kind);
	CHECK(attribute != NULL);
	CHECK_EQ(RTA_PAYLOAD(attribute), sizeof(uint32_t));
	uint32_t word;
	memcpy(&word, RTA_DATA(attribute), sizeof word);
	return word;
}

/* Calls "each" with every message of a listing up to the one that ends it; that one's error as a positive number. */
static inline int list_all(int fd, const struct request *request, void (*each)(struct nlmsghdr *))
{
	static char buffer[32768];
	send_request(fd, request);
	for (;;) {
		ssize_t length = OK(recv(fd, buffer, sizeof buffer, 0));
		struct nlmsghdr *header = (void *)buffer;
		for (; NLMSG_OK(header, length); header = NLMSG_NEXT(header, length)) {
			CHECK_EQ(header->nlmsg_seq, request->header.nlmsg_seq);
			if (header->nlmsg_type == NLMSG_ERROR)
				return -((struct nlmsgerr *)NLMSG_DATA(header))->error;
			CHECK(header->nlmsg_flags & NLM_F_MULTI);
			if (header->nlmsg_type == NLMSG_DONE)
				return -*(int *)NLMSG_DATA(header);
			each(header);
		}
	}
}

#endif
