# source: busybox
# Upstream's default configuration, static. Left out: tc, which does not build with current kernel headers.
set -eu

make defconfig
sed -i \
	-e 's/^# CONFIG_STATIC is not set/CONFIG_STATIC=y/' \
	-e 's/^CONFIG_TC=y/# CONFIG_TC is not set/' .config
yes '' | make oldconfig
make -j"$JOBS" CC="$CC" HOSTCC=gcc busybox
make CC="$CC" HOSTCC=gcc CONFIG_PREFIX="$OUT" install

# Its own tests, for `cargo xtask test busybox`.
cp -r testsuite "$TESTS/"
cp .config "$TESTS/.config"
cp -r shell/ash_test "$TESTS/"
for helper in printenv recho zecho; do
	$CC -static -O2 -w -o "$TESTS/ash_test/$helper" "$TESTS/ash_test/$helper.c"
done
