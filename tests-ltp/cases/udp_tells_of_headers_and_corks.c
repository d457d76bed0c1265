/* UDP: control messages, putting datagrams together, many messages a call, sharing a port. */
#include "nos_inet.h"
#include <netinet/udp.h>

static void control(int server, int client)
{
	OK(inet_set(server, IPPROTO_IP, IP_PKTINFO, 1));
	OK(inet_set(server, IPPROTO_IP, IP_RECVTTL, 1));
	OK(inet_set(server, IPPROTO_IP, IP_RECVTOS, 1));
	OK(inet_set(client, IPPROTO_IP, IP_TOS, 0x10));
	OK(inet_set(client, IPPROTO_IP, IP_TTL, 17));
	CHECK_EQ(send(client, "x", 1, 0), 1);
	char byte, space[256];
	struct iovec vector = { &byte, 1 };
	struct msghdr header = {
		.msg_iov = &vector, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space
	};
	CHECK_EQ(recvmsg(server, &header, 0), 1);
	int seen = 0;
	for (struct cmsghdr *at = CMSG_FIRSTHDR(&header); at; at = CMSG_NXTHDR(&header, at)) {
		CHECK_EQ(at->cmsg_level, IPPROTO_IP);
		int value = 0;
		if (at->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;
			CHECK_EQ(at->cmsg_len, CMSG_LEN(sizeof info));
			memcpy(&info, CMSG_DATA(at), sizeof info);
			CHECK_EQ(ntohl(info.ipi_addr.s_addr), INADDR_LOOPBACK);
			CHECK_EQ(info.ipi_ifindex, 1);
			seen |= 1;
		} else if (at->cmsg_type == IP_TTL) {
			memcpy(&value, CMSG_DATA(at), 4);
			CHECK_EQ(value, 17);
			seen |= 2;
		} else if (at->cmsg_type == IP_TOS) {
			CHECK_EQ(at->cmsg_len, CMSG_LEN(1));
			CHECK_EQ(*CMSG_DATA(at), 0x10);
			seen |= 4;
		}
	}
	CHECK_EQ(seen, 7);

	/* A sender says where one datagram comes from. */
	int any = (int)OK(socket(AF_INET, SOCK_DGRAM, 0));
	struct sockaddr_in to = inet_name(server), from;
	vector = (struct iovec){ "y", 1 };
	char pack[CMSG_SPACE(sizeof(struct in_pktinfo))] = { 0 };
	header = (struct msghdr){
		.msg_iov = &vector, .msg_iovlen = 1, .msg_control = pack, .msg_controllen = sizeof pack,
		.msg_name = &to, .msg_namelen = sizeof to
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&header);
	*head = (struct cmsghdr){
		.cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO, .cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo))
	};
	struct in_pktinfo info = { .ipi_spec_dst.s_addr = htonl(0x7f000009) };
	memcpy(CMSG_DATA(head), &info, sizeof info);
	CHECK_EQ(sendmsg(any, &header, 0), 1);
	socklen_t length = sizeof from;
	CHECK_EQ(recvfrom(server, &byte, 1, 0, (struct sockaddr *)&from, &length), 1);
	CHECK_EQ(ntohl(from.sin_addr.s_addr), 0x7f000009);
	OK(close(any));
}

static void corked(int server, int client)
{
	char buffer[16];
	CHECK_EQ(send(client, "one ", 4, MSG_MORE), 4);
	CHECK_ERRNO(recv(server, buffer, sizeof buffer, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(send(client, "two", 3, 0), 3);
	CHECK_EQ(recv(server, buffer, sizeof buffer, 0), 7);
	CHECK(memcmp(buffer, "one two", 7) == 0);
	OK(inet_set(client, IPPROTO_UDP, UDP_CORK, 1));
	CHECK_EQ(inet_get(client, IPPROTO_UDP, UDP_CORK), 1);
	CHECK_EQ(send(client, "ab", 2, 0), 2);
	CHECK_EQ(send(client, "cd", 2, 0), 2);
	CHECK_ERRNO(recv(server, buffer, sizeof buffer, MSG_DONTWAIT), EAGAIN);
	OK(inet_set(client, IPPROTO_UDP, UDP_CORK, 0));
	CHECK_EQ(recv(server, buffer, sizeof buffer, 0), 4);
	CHECK(memcmp(buffer, "abcd", 4) == 0);
}

static void many(int server, int client)
{
	char out[4] = "abcd", in[4];
	struct iovec from[4], to[4];
	struct mmsghdr sent[4] = { 0 }, received[4] = { 0 };
	for (int i = 0; i < 4; i++) {
		from[i] = (struct iovec){ out, (size_t)i + 1 };
		to[i] = (struct iovec){ in, sizeof in };
		sent[i].msg_hdr = (struct msghdr){ .msg_iov = &from[i], .msg_iovlen = 1 };
		received[i].msg_hdr = (struct msghdr){ .msg_iov = &to[i], .msg_iovlen = 1 };
	}
	CHECK_EQ(sendmmsg(client, sent, 4, 0), 4);
	CHECK_EQ(recvmmsg(server, received, 4, MSG_WAITFORONE, NULL), 4);
	for (unsigned i = 0; i < 4; i++)
		CHECK_EQ(received[i].msg_len, i + 1);
}

/* Sockets that share a port each get datagrams, and one sender's all go to the same. */
static void shared(void)
{
	int fds[3], counts[3] = { 0 };
	for (int i = 0; i < 3; i++) {
		fds[i] = (int)OK(socket(AF_INET, SOCK_DGRAM, 0));
		OK(inet_set(fds[i], SOL_SOCKET, SO_REUSEPORT, 1));
		OK(inet_bind(fds[i], i == 0 ? inet_at("127.0.0.1", 0) : inet_name(fds[0])));
	}
	struct sockaddr_in to = inet_name(fds[0]);
	for (int i = 0; i < 60; i++) {
		int client = (int)OK(socket(AF_INET, SOCK_DGRAM, 0));
		for (int j = 0; j < 2; j++)
			CHECK_EQ(sendto(client, &i, sizeof i, 0, (struct sockaddr *)&to, sizeof to), sizeof i);
		OK(close(client));
	}
	char buffer[16];
	for (int i = 0; i < 3; i++)
		while (recv(fds[i], buffer, sizeof buffer, MSG_DONTWAIT) > 0)
			counts[i]++;
	CHECK_EQ(counts[0] + counts[1] + counts[2], 120);
	for (int i = 0; i < 3; i++)
		CHECK(counts[i] > 0 && counts[i] % 2 == 0);
}

int main(void)
{
	int server = (int)OK(socket(AF_INET, SOCK_DGRAM, 0)), client = (int)OK(socket(AF_INET, SOCK_DGRAM, 0));
	OK(inet_bind(server, inet_at("127.0.0.1", 0)));
	OK(inet_connect(client, inet_name(server)));
	control(server, client);
	corked(server, client);
	many(server, client);
	shared();
	return 0;
}
