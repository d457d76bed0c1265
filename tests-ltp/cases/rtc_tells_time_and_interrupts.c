/* /dev/rtc0 (rtc(4)): time, update, periodic and alarm interrupts, and what is refused. */
#include "nos_test.h"
#include <linux/rtc.h>
#include <poll.h>
#include <sys/ioctl.h>

static int clock_fd;

static int64_t seconds(const struct rtc_time *time)
{
	struct tm tm = { .tm_sec = time->tm_sec, .tm_min = time->tm_min, .tm_hour = time->tm_hour,
		.tm_mday = time->tm_mday, .tm_mon = time->tm_mon, .tm_year = time->tm_year };
	return timegm(&tm);
}

static int64_t now(void)
{
	struct rtc_time time;
	OK(ioctl(clock_fd, RTC_RD_TIME, &time));
	return seconds(&time);
}

/* The number of interrupts that a read tells of, which have to be of one kind. */
static unsigned long interrupts(unsigned long kind)
{
	unsigned long data;
	CHECK_EQ(read(clock_fd, &data, sizeof data), (ssize_t)sizeof data);
	CHECK_EQ(data & 0xff, kind | RTC_IRQF);
	return data >> 8;
}

int main(void)
{
	clock_fd = open("/dev/rtc0", O_RDWR);
	if (clock_fd < 0 && errno == ENOENT)
		SKIP("no /dev/rtc0");
	OK(clock_fd);
	/* One at a time. */
	CHECK_ERRNO(open("/dev/rtc0", O_RDONLY), EBUSY);
	int64_t shown = now(), system_time = time(NULL);
	CHECK(shown - system_time <= 2 && system_time - shown <= 2);

	/* Nothing has happened yet. */
	struct pollfd ready = { clock_fd, POLLIN, 0 };
	CHECK_EQ(poll(&ready, 1, 0), 0);
	char byte;
	CHECK_ERRNO(read(clock_fd, &byte, 1), EINVAL);
	OK(fcntl(clock_fd, F_SETFL, O_NONBLOCK));
	unsigned word;
	CHECK_ERRNO(read(clock_fd, &word, sizeof word), EAGAIN);
	OK(fcntl(clock_fd, F_SETFL, 0));

	/* Periodic: sixteen a second. */
	unsigned long frequency;
	OK(ioctl(clock_fd, RTC_IRQP_READ, &frequency));
	CHECK_ERRNO(ioctl(clock_fd, RTC_IRQP_SET, 0), EINVAL);
	CHECK_ERRNO(ioctl(clock_fd, RTC_IRQP_SET, 8193), EINVAL);
	OK(ioctl(clock_fd, RTC_IRQP_SET, 16));
	OK(ioctl(clock_fd, RTC_IRQP_READ, &frequency));
	CHECK_EQ(frequency, 16);
	OK(ioctl(clock_fd, RTC_PIE_ON));
	int64_t started = test_now();
	unsigned long count = 0;
	while (count < 8)
		count += interrupts(RTC_PF);
	int64_t took = test_now() - started;
	CHECK(took > 400000 && took < 1500000);
	OK(ioctl(clock_fd, RTC_PIE_OFF));
	OK(fcntl(clock_fd, F_SETFL, O_NONBLOCK));
	(void)!read(clock_fd, &word, sizeof word);
	OK(fcntl(clock_fd, F_SETFL, 0));

	/* An update comes with every second. */
	OK(ioctl(clock_fd, RTC_UIE_ON));
	OK(poll(&ready, 1, 5000));
	CHECK_EQ(ready.revents, POLLIN);
	CHECK(interrupts(RTC_UF) >= 1);
	int64_t before = now();
	interrupts(RTC_UF);
	CHECK(now() > before);
	OK(ioctl(clock_fd, RTC_UIE_OFF));

	/* The alarm two seconds from now. */
	struct rtc_time alarm, set;
	time_t at = (time_t)now() + 2;
	struct tm tm;
	gmtime_r(&at, &tm);
	alarm = (struct rtc_time){ .tm_sec = tm.tm_sec, .tm_min = tm.tm_min, .tm_hour = tm.tm_hour };
	OK(ioctl(clock_fd, RTC_ALM_SET, &alarm));
	OK(ioctl(clock_fd, RTC_ALM_READ, &set));
	CHECK_EQ(set.tm_sec, tm.tm_sec);
	CHECK_EQ(set.tm_min, tm.tm_min);
	CHECK_EQ(set.tm_hour, tm.tm_hour);
	OK(ioctl(clock_fd, RTC_AIE_ON));
	CHECK_EQ(interrupts(RTC_AF), 1);
	CHECK(now() >= at && now() <= at + 2);
	alarm.tm_hour = 24;
	CHECK_ERRNO(ioctl(clock_fd, RTC_ALM_SET, &alarm), EINVAL);

	/* Setting it, and back. */
	struct rtc_time time;
	OK(ioctl(clock_fd, RTC_RD_TIME, &time));
	struct rtc_time other = time;
	other.tm_mday = other.tm_mday == 1 ? 2 : 1;
	OK(ioctl(clock_fd, RTC_SET_TIME, &other));
	int64_t apart = now() - seconds(&other);
	CHECK(apart >= 0 && apart <= 2);
	OK(ioctl(clock_fd, RTC_SET_TIME, &time));
	other.tm_mon = 12;
	CHECK_ERRNO(ioctl(clock_fd, RTC_SET_TIME, &other), EINVAL);
	CHECK_ERRNO(ioctl(clock_fd, 0x7099), ENOTTY);
	OK(close(clock_fd));
	OK(open("/dev/rtc0", O_RDONLY));
	return 0;
}
