# source: sqlite3
# SQLite's own benchmark, static: one thread, all of the library in one file.
set -eu

./configure CC="$CC" BUILD_CC=gcc LDFLAGS=-static --disable-tcl --disable-readline \
	--host=x86_64-linux-musl --build=x86_64-linux-gnu
make -j"$JOBS" sqlite3.c sqlite3.h
mkdir -p "$OUT/usr/bin"
$CC -static -s -O2 -DSQLITE_THREADSAFE=0 -DSQLITE_OMIT_LOAD_EXTENSION -I. -o "$OUT/usr/bin/speedtest1" \
	test/speedtest1.c sqlite3.c -lm
