/* khugepaged's settings have Linux's defaults and limits. */
#include "nos_huge.h"

static void takes(const char *name, const char *first, const char *value)
{
	char path[64], line[64];
	snprintf(path, sizeof path, "khugepaged/%s", name);
	CHECK_STR(thp_get(path), first);
	snprintf(line, sizeof line, "%s\n", value);
	thp_set(path, line);
	CHECK_STR(thp_get(path), value);
	thp_set(path, first);
	CHECK_STR(thp_get(path), first);
	for (const char *const *wrong = (const char *const[]){ "-1", "4294967296", "x", "1x", " 1", "1 ", "\n", NULL }; *wrong; wrong++)
		thp_refuses(path, *wrong);
	CHECK_STR(thp_get(path), first);
}

int main(void)
{
	takes("max_ptes_none", "511", "0");
	takes("max_ptes_shared", "256", "511");
	takes("max_ptes_swap", "64", "1");
	takes("pages_to_scan", "4096", "4294967295");
	takes("scan_sleep_millisecs", "10000", "0");
	takes("alloc_sleep_millisecs", "60000", "4294967295");
	CHECK_STR(thp_get("khugepaged/defrag"), "1");
	thp_set("khugepaged/defrag", "0");
	CHECK_STR(thp_get("khugepaged/defrag"), "0");
	thp_set("khugepaged/defrag", "1\n");
	thp_refuses("khugepaged/defrag", "2");
	thp_refuses("khugepaged/defrag", "yes");
	thp_refuses("khugepaged/max_ptes_none", "512");
	thp_refuses("khugepaged/max_ptes_shared", "512");
	thp_refuses("khugepaged/max_ptes_swap", "512");
	thp_refuses("khugepaged/pages_to_scan", "0");
	CHECK(atol(thp_get("khugepaged/full_scans")) >= 0);
	CHECK(atol(thp_get("khugepaged/pages_collapsed")) >= 0);
	char *shared = thp_get("shmem_enabled");
	thp_set("shmem_enabled", "deny\n");
	CHECK_STR(thp_get("shmem_enabled"), "deny");
	thp_set("shmem_enabled", "never");
	CHECK_STR(test_read_file(THP "shmem_enabled"), "always within_size advise [never] deny force\n");
	thp_refuses("shmem_enabled", "sometimes");
	thp_set("shmem_enabled", shared);
	return 0;
}
