#!/bin/sh
# A day at the shell: 200 commands whose output must be the same on every Linux, byte for byte. Nothing here prints a time,
# a process id, an inode number or a kernel's name. Each command is announced by its number.
cd /tmp || exit 1
rm -rf session; mkdir session; cd session || exit 1
export LC_ALL=C TZ=UTC PS4='+ '
umask 022
n=0
t() { n=$((n + 1)); echo "# $n"; }

# Words, quoting, expansion
t; echo hello
t; echo "one   two" 'three $HOME' four\ five
t; x=abcdef; echo ${x#ab} ${x%ef} ${#x} ${x:-no} ${y:-yes}
t; echo $((3 * (4 + 5) % 7)) $((1 << 20)) $((-7 / 2)) $((0x1f & 10))
t; printf '%05d|%-8s|%x|%o|%c|%%\n' 42 left 255 8 z
t; printf '%s\n' a b c | while read -r w; do echo "<$w>"; done
t; set -- p q r; echo $# $1 $3 "$*"; shift; echo "$@"
t; for i in 1 2 3; do printf '%s,' $i; done; echo
t; case linux in l*x) echo match;; *) echo none;; esac
t; i=0; while [ $i -lt 5 ]; do i=$((i + 1)); [ $i -eq 3 ] && continue; echo $i; done
t; until false; do echo once; break; done
t; f() { local v=in; echo $v $1; return 3; }; f arg; echo $?
t; (x=sub; echo $x); echo $x
t; { echo a; echo b; } | cat
t; if test -d /tmp && ! test -f /tmp; then echo dir; else echo odd; fi
t; true && echo yes || echo no; false || echo alternative
t; echo $(echo nested $(echo deeper))
t; eval 'echo evaluated $((6 * 7))'
t; trap 'echo trapped' USR1; kill -USR1 $$; trap - USR1
t; (trap 'echo bye' EXIT; echo in)
t; IFS=:; set -- $(echo a:b:c); echo $2; unset IFS
t; echo ~root; cd /usr; cd -
t; readonly R=1; (R=2) 2>/dev/null; echo $?
t; alias ll='ls -l'; type ll; unalias ll
t; getopts ab: o -a; echo $o; getopts ab: o -a -b v; echo $o $OPTARG

# Redirection and here-documents
t; cat <<EOF
value $((2 + 2)) of $x
EOF
t; cat <<'EOF'
literal $x `pwd`
EOF
t; cat <<-EOF
	tabs are gone
	EOF
t; echo first >f1; echo second >>f1; cat f1
t; cat <f1 >f2; cmp f1 f2 && echo same
t; ls nonexistent 2>err; echo $?; cat err
t; { echo out; echo err >&2; } 2>&1 | sort
t; exec 5>f5; echo five >&5; exec 5>&-; cat f5
t; exec 6<f5; read -r l <&6; echo "$l"; exec 6<&-
t; echo over >|f5; cat f5
t; : >empty; wc -c <empty
t; (set -C; echo no >f5) 2>/dev/null; echo $?
t; cat f1 - f5 <<EOF
middle
EOF
t; echo data | tee t1 t2 | wc -c; cat t1 t2
t; read a b c <<EOF
one two three four
EOF
echo "$c|$a"
t; cat <<A; cat <<B
first
A
second
B
t; yes | head -n 3
t; seq 1 10 | tail -n +8
t; dd if=/dev/zero bs=1k count=3 2>/dev/null | wc -c
t; echo abc | dd bs=1 skip=1 count=1 2>/dev/null; echo

# Thousands of files
t; mkdir -p tree/a/b/c tree/d; echo $?
t; i=0; while [ $i -lt 2000 ]; do echo "file $i line" >tree/a/f$i; i=$((i + 1)); done; ls tree/a | wc -l
t; seq 0 999 | (cd tree/d; xargs touch); ls tree/d | wc -l
t; find tree -type f | wc -l
t; find tree -type d | sort
t; find tree -name 'f19?9' | sort
t; find tree -name '*99' -type f | sort | head -n 5
t; find tree -maxdepth 1 | sort
t; find tree/a -name 'f1*' -exec cat {} + | wc
t; find tree/a -size -1 | wc -l
t; find tree -empty -type f | wc -l
t; find tree/a -type f -name 'f12' -exec sh -c 'echo "$0:" $(cat "$0")' {} \;
t; grep -r 'file 77 ' tree | sort
t; grep -rl 'line' tree/a | wc -l
t; grep -c file tree/a/f1 tree/a/f2
t; grep -n 'i.e' tree/a/f3; grep -v x tree/a/f3; grep -o 'l[a-z]*' tree/a/f3
t; cat tree/a/f* | grep -E '(11|22)1 ' | sort -n -k 2 | head -n 4
t; cat tree/a/f* | sort -k 2 -n | sed -n '100,103p'
t; cat tree/a/f* | sort -k 2 -n -r | head -n 2
t; cat tree/a/f* | awk '{ s += $2 } END { print s, NR }'
t; cat tree/a/f* | md5sum | wc -c
t; cat tree/a/f1? | sort | md5sum
t; ls tree/a | sort | sha1sum
t; ls tree/a | sort -t f -k 2 -n | tail -n 2
t; du -s tree >/dev/null; echo $?
t; ls -d tree/*; ls -1 tree/a/f1[0-2]
t; ls tree/a/f100? | xargs -n 3 echo
t; ls tree/a | tr -d f | sort -n | awk 'NR % 500 == 1'
t; mv tree/a/f0 tree/moved; cat tree/moved
t; cp tree/moved tree/copy; cmp tree/moved tree/copy; echo $?
t; cp -r tree/a tree/a2; ls tree/a2 | wc -l
t; diff -r tree/a tree/a2 && echo equal
t; echo changed >tree/a2/f7; diff tree/a/f7 tree/a2/f7; diff -q -r tree/a tree/a2
t; rm tree/a2/f1*; ls tree/a2 | wc -l
t; rm -r tree/a2; test -e tree/a2; echo $?
t; rmdir tree/a 2>/dev/null; echo $?
t; ln -s moved tree/link; readlink tree/link; cat tree/link
t; ln tree/moved tree/hard; stat -c '%h %s %F' tree/hard
t; stat -c '%a %s %n' tree/moved; chmod 640 tree/moved; stat -c '%A' tree/moved
t; ls -l tree/link | sed 's/.* tree/tree/'
t; touch -d '2001-02-03 04:05:06' old; stat -c '%Y' old; ls -l old | awk '{ print $6, $7, $8, $9 }'
t; test old -ot tree/moved && echo older
t; mkfifo pipe1; test -p pipe1 && echo fifo; (echo through >pipe1 &); cat pipe1
t; mkdir sticky; chmod 1777 sticky; stat -c '%a %F' sticky
t; ln -s loop1 loop2; ln -s loop2 loop1; cat loop1 2>&1 | sed 's/.*: //'
t; mkdir -p deep/$(printf 'd/%.0s' 1 2 3 4 5 6 7 8 9 10); find deep | wc -l
t; rm -rf deep; ls -d deep 2>/dev/null; echo $?
t; truncate -s 100000 sparse; stat -c %s sparse; od -An -c sparse | head -n 1
t; basename /a/b/c.txt .txt; dirname /a/b/c.txt
t; realpath tree/link | sed 's,.*/tree,tree,'
t; split -l 400 -a 1 /dev/stdin part. <<EOF
$(seq 1 1000)
EOF
wc -l part.*

# Text tools
t; sed 's/line/LINE/;s/file/&&/' tree/a/f9
t; printf 'a\nb\nc\n' | sed -n '2{p;q}'
t; printf 'a\nb\nc\n' | sed '2d;$s/$/!/'
t; printf 'k1=v1\nk2=v2\n' | sed -r 's/(.*)=(.*)/\2:\1/'
t; printf 'x\ny\n' | sed '1!G;h;$!d'
t; seq 5 | sed 'N;s/\n/-/'
t; echo 'a,b,c' | cut -d, -f2,3; echo abcdef | cut -c2-4
t; echo abc | tr a-c A-C; echo aabbcc | tr -s b
t; printf '3 c\n1 a\n2 b\n' | sort; printf '10\n9\n100\n' | sort -n
t; printf 'a\na\nb\n' | uniq -c; printf 'a\na\nb\n' | uniq -d
t; seq 20 | paste -s -d+ | bc
t; printf '1 x\n2 y\n' >j1; printf '1 p\n2 q\n' >j2; paste j1 j2
t; awk 'BEGIN { for (i = 1; i <= 3; i++) printf "%d^2=%d\n", i, i * i }'
t; awk -F: '{ print $1 "-" $NF }' <<EOF
a:b:c
d:e:f
EOF
t; awk '{ c[$1]++ } END { for (k in c) print k, c[k] }' <<EOF | sort
x
y
x
EOF
t; echo 'the quick brown fox' | awk '{ print toupper($2), length($0), substr($4, 2), index($0, "brown") }'
t; awk 'BEGIN { print 1e3, 0.1 + 0.2, int(7.9), sqrt(16), 2 ** 10 }'
t; awk 'BEGIN { "echo piped" | getline v; print v; system("echo sys") }'
t; seq 100 | awk '$1 % 7 == 0' | xargs
t; echo hello | rev; printf 'a\nb\n' | tac; printf 'x\n' | nl
t; echo 'long line to be folded here' | fold -w 10
t; printf 'a\tb\n' | expand -t 4; printf 'abc' | od -An -tx1
t; echo test | base64; echo dGVzdAo= | base64 -d
t; echo hexdump | hexdump -C | head -n 1
t; printf 'b\na\n' | sort | comm - j1 2>/dev/null | head -n 2
t; echo 1 2 3 | xargs -n 1 echo item
t; expr 5 + 3 \* 2; expr abcdef : 'abc\(.*\)'
t; echo '2^16; 10/3; scale=3; 10/3' | bc
t; date -u -d @1000000000 '+%Y-%m-%d %H:%M:%S'
t; seq -s, 1 5; seq 10 -3 1
t; cal 2 2024 | head -n 2
t; factor 360 97
t; echo abc | sha256sum; echo abc | md5sum
t; cksum j1; sum j1
t; printf 'one\ntwo\n' | grep -q two && echo found
t; strings /bin/busybox | grep -c '^BusyBox v' | head -n 1
t; printf '%s\n' b a c | sort -r | head -n 1
t; wc tree/a/f1 tree/a/f22

# Archives and compression
t; tar cf a.tar tree/a; tar tf a.tar | wc -l
t; mkdir x1; tar xf a.tar -C x1; diff -r tree/a x1/tree/a && echo same
t; tar czf a.tgz tree/d; tar tzf a.tgz | sort | tail -n 1
t; cat tree/a/f* >big; gzip -k big; gunzip -c big.gz | cmp - big && echo same
t; gzip -t big.gz; echo $?; zcat big.gz | wc -l
t; bzip2 -k big; bunzip2 -c big.bz2 | md5sum | cut -c1-32 >m1; md5sum <big | cut -c1-32 | cmp - m1 && echo same
t; xz -k big 2>/dev/null; echo done; (cd tree; find a | sort | cpio -o -H newc 2>/dev/null) | wc -c | awk '{ print ($1 > 200000) }'
t; (cd tree; find a | cpio -o -H newc 2>/dev/null) | (mkdir x2; cd x2; cpio -i -d 2>/dev/null); ls x2/a | wc -l
t; tar cf - tree/d | (mkdir x3; cd x3; tar xf -); find x3 -type f | wc -l
t; ar rc lib.a j1 j2 2>/dev/null; ar t lib.a 2>/dev/null; echo $?
t; uuencode j1 j1 <j1 | head -n 1
t; patch -s tree/a/f7 <<EOF; cat tree/a/f7
--- a
+++ b
@@ -1 +1 @@
-file 7 line
+patched
EOF

t; x=a.b.c; echo ${x%%.*} ${x##*.}; echo "${x:2:1}"
t; echo {a,b} "$((10 % 3))"; [ a = a -a 1 -lt 2 ] && echo both
t; set -- "a b" c; for w in "$@"; do echo "[$w]"; done
t; echo "tab	inside" | cat -A; printf 'no newline' | wc -l
t; unset nothing; echo "${nothing-default}" "${nothing+set}"
t; (set -u; echo $undefined) 2>/dev/null; echo $?
t; (set -e; false; echo unreached); echo $?
t; f2() { [ $1 -le 1 ] && echo 1 || echo $(($1 * $(f2 $(($1 - 1))))); }; f2 6
t; cat <<EOF | while read -r a b; do echo "$b $a"; done
one 1
two 2
EOF
t; ls tree/d | wc -l; rm -f tree/d/[0-4]*; ls tree/d | wc -l
t; find tree/d -name '9*' -delete; ls tree/d | wc -l
t; touch -r old new; stat -c %Y new; find . -maxdepth 1 -newer old -name 'ne*'
t; echo 0123456789 >num; tail -c 4 num; head -c 3 num; echo

# Processes and job control
t; sleep 0.05 & wait $!; echo $?
t; (exit 7); echo $?
t; sh -c 'exit 9' & wait $!; echo $?
t; sh -c 'kill -TERM $$'; echo $?
t; (sleep 5 & p=$!; kill $p; wait $p; echo $?) 2>/dev/null
t; timeout 0.1 sleep 5; echo $?
t; sleep 10 & p=$!; kill -STOP $p; kill -CONT $p; kill -KILL $p; wait $p 2>/dev/null; echo $?
t; set -m; sleep 0.1 & jobs | sed 's/  */ /g'; fg >/dev/null; echo $?; set +m
t; (set -m; sleep 0.05 & sleep 0.06 & wait; echo all) 2>/dev/null
t; seq 50 | while read -r k; do (echo $k) & done | wc -l; wait
t; for k in 1 3 5 7; do (sleep 0.$k; echo $k) & done; wait
t; cat /proc/self/comm; readlink /proc/self/exe
t; sh -c 'echo $0 $1' name arg; env -i A=b sh -c 'echo $A $PATH' | cut -c1-1
t; nice -n 5 nice; nice
t; nohup true 2>/dev/null; echo $?
t; (ulimit -n 32; ulimit -n); (ulimit -c 0; ulimit -c)
t; xargs -P 4 -n 1 sh -c 'echo $0' <<EOF | sort
a
b
c
d
EOF
t; (cd /; pwd); pwd | sed 's,.*/,,'
t; setsid sh -c 'echo session'; sleep 0.05
t; trap 'echo chld' CHLD; true & wait; trap - CHLD
t; echo 'echo from script $1' >s.sh; sh s.sh arg; chmod +x s.sh; ./s.sh again
t; printf '#!/bin/sh -e\nfalse\necho unreached\n' >e.sh; chmod +x e.sh; ./e.sh; echo $?
t; printf '#!/bin/awk -f\nBEGIN { print "awk script" }\n' >w.awk; chmod +x w.awk; ./w.awk
t; ./nonexistent 2>/dev/null; echo $?; ./j1 2>/dev/null; echo $?
t; yes | (sleep 0.05; exec true); echo $?
t; mkfifo q; (cat q | tr a-z A-Z) & echo shout >q; wait
t; kill -l 15; kill -l HUP
t; (trap '' TERM; kill -TERM $(sh -c 'echo $PPID'); echo survived)
t; (sh -c 'kill -SEGV $$'; echo $?) 2>/dev/null
t; pidof nonexistent_program; echo $?
t; test -t 0; echo $?; tty <&- 2>/dev/null >&2; echo $?
t; id -u; id -un; whoami; groups
t; hostname >/dev/null; echo $?; umask; umask 077; touch private; stat -c %a private; umask 022
t; which sh ls awk; type cd | head -n 1
t; test -w /dev/null && test -c /dev/null && echo device; head -c 16 /dev/urandom | wc -c
t; head -c 5 /dev/zero | od -An -tx1; echo gone >/dev/null; cat /dev/null
t; echo full 2>/dev/null >/dev/full; echo $?
t; df / >/dev/null; mount >/dev/null; free >/dev/null; ps >/dev/null; uptime >/dev/null; echo $?
t; mkdir m; mount -t tmpfs none m; echo in >m/f; cat m/f; umount m; ls m | wc -l
t; chroot / /bin/sh -c 'echo chrooted'
t; su root -c 'echo su' 2>/dev/null || echo su
t; cd /; rm -rf /tmp/session; test -d /tmp/session; echo $?
