# source: tcc
# The Tiny C Compiler, static, with its own source in /usr/src/tcc and musl's headers and library: what it needs to compile itself.
set -eu

prefix=/usr/lib/tcc
./configure --cc="$CC" --prefix=/usr --config-musl --extra-ldflags=-static --tccdir=$prefix \
	--crtprefix=$prefix/musl/lib --libpaths=$prefix:$prefix/musl/lib \
	--sysincludepaths=$prefix/include:$prefix/musl/include
make -j"$JOBS" tcc
make -j"$JOBS" libtcc1.a XCC=gcc
install -D -s tcc "$OUT/usr/bin/tcc"
install -D -m 644 libtcc1.a "$OUT$prefix/libtcc1.a"
cp -r include "$OUT$prefix/include"
mkdir -p "$OUT$prefix/musl/lib" "$OUT/usr/src/tcc"
cp -r /usr/include/x86_64-linux-musl "$OUT$prefix/musl/include"
for file in crt1.o crti.o crtn.o libc.a; do
	cp "/usr/lib/x86_64-linux-musl/$file" "$OUT$prefix/musl/lib/"
done
cp ./*.c ./*.h ./*.def config.h "$OUT/usr/src/tcc/"
