# Two hundred commands. What they print on NOS is what they print on Linux.
# Nothing here may depend on process numbers, times, device numbers or the name of the kernel.
exec 2>&1
export TZ=UTC LC_ALL=C
rm -rf /tmp/w
mkdir -p /tmp/w && cd /tmp/w || exit 1
number=0
s() { number=$((number + 1)); echo "## $number $*"; }

s echo; echo hello world
s printf; printf '%s-%05d-%x\n' a 42 255
s variables; a=1 b=two; echo "$a $b ${c:-default} ${b#t}"
s arithmetic; echo $((6 * 7)) $((1 << 20)) $((17 % 5)) $((-7 / 2))
s command-substitution; echo "$(echo inner; echo two)"
s exit-status; false; echo $?; true; echo $?
s not-found; no-such-command; echo $?
s subshell-status; (exit 7); echo $?
s and-or; true && echo yes || echo no; false && echo yes || echo no
s for-loop; for i in 1 2 3; do echo "i=$i"; done
s while-loop; i=0; while [ $i -lt 3 ]; do i=$((i + 1)); echo $i; done
s case; case abc in a*) echo starts;; *) echo other;; esac
s function; f() { local x=$1; echo "f $x"; return 3; }; f arg; echo $?
s here-document
cat <<END
one $a
two $((1 + 1))
END
s here-document-quoted
cat <<'END'
one $a
END
s here-document-in-loop; for i in 1 2; do cat <<END
loop $i
END
done
s pipe; echo "b
a
c" | sort | tr a-z A-Z
s pipe-status; false | true; echo $?
s long-pipe; echo x | cat | cat | cat | cat | cat | cat | cat | cat
s pipe-sigpipe; yes | head -n 3
s redirect-append; echo 1 >f; echo 2 >>f; cat f
s redirect-stderr; { echo out; echo err >&2; } 2>e; cat e
s redirect-both; { echo out; echo err >&2; } >b 2>&1; cat b
s redirect-read-write; exec 5<>rw; echo data >&5; exec 5>&-; cat rw
s redirect-close; (exec 1>&-; echo lost) ; echo $?
s redirect-noclobber; set -C; echo x >f; echo $?; set +C
s redirect-missing; cat <missing; echo $?
s fd-duplicate; exec 3>&1; echo to3 >&3; exec 3>&-
s process-group; sh -c 'kill -TERM $$'; echo $?
s trap-exit; sh -c 'trap "echo bye" EXIT; echo hi'
s trap-signal; sh -c 'trap "echo got" USR1; kill -USR1 $$; echo after'
s trap-int-ignored; sh -c 'trap "" INT; kill -INT $$; echo alive'
s background-wait; { sleep 0.1; echo slept; } & wait; echo done
s wait-status; (exit 5) & wait $!; echo $?
s wait-many; for i in 1 2 3 4 5; do (exit $i) & done; wait; echo all
s job-control; script -qc 'set -m; sleep 5 & kill %1; wait %1; echo $?' /dev/null
s job-stop-resume; script -qc 'set -m; sleep 0.3 & kill -STOP %1; sleep 0.1; jobs; kill -CONT %1; wait %1; echo $?' /dev/null
s job-foreground; script -qc 'set -m; sleep 0.2 & fg %1; echo $?' /dev/null
s job-groups; script -qc 'set -m; sh -c "kill -INT 0"; echo $?' /dev/null
s pty-size; script -qc 'stty rows 30 cols 100; stty size' /dev/null
s pty-echo; script -qc 'stty -echo; stty -a | grep -o -e -echo\ ; tty | cut -d/ -f1-3' /dev/null
s timeout; timeout 0.2 sleep 5; echo $?
s kill-zero; sleep 3 & p=$!; kill -0 $p; echo $?; kill $p; wait $p; kill -0 $p 2>/dev/null; echo $?
s nohup-signal; sh -c 'trap "" HUP; kill -HUP $$; echo survived'
s exec-replace; sh -c 'exec echo replaced'
s env; env -i A=1 B=2 /usr/bin/env | sort
s script-interpreter; printf '#!/bin/sh\necho "script $0 $*"\n' >sc; chmod +x sc; ./sc 1 2
s script-argument; printf '#!/bin/echo -n x\n' >sc2; chmod +x sc2; ./sc2; echo
s not-executable; chmod -x sc; ./sc; echo $?; chmod +x sc
s exec-directory; ./. ; echo $?
s exec-format; printf '\177ELFbad' >bad; chmod +x bad; sh -c ./bad >/dev/null; echo $?
s read; echo "a b c" | { read x y; echo "$y-$x"; }
s read-lines; printf 'l1\nl2\n' | while read l; do echo "<$l>"; done
s dev-null; echo x >/dev/null; cat /dev/null | wc -c
s dev-zero; head -c 100000 /dev/zero | md5sum
s dev-full; echo x >/dev/full; echo $?
s dev-urandom; head -c 1000 /dev/urandom | wc -c
s dev-fd; echo via-fd | cat /dev/fd/0
s dev-tty; (exec </dev/tty) ; echo $?
s mkdir; mkdir -p d1/d2/d3; ls -R d1
s mkdir-exists; mkdir d1; echo $?
s rmdir-not-empty; rmdir d1; echo $?
s touch-stat; touch t; stat -c '%n %s %F %a %h %u %g' t
s umask; umask 077; touch u; stat -c %a u; umask 022
s chmod; chmod 4751 t; stat -c %a t; chmod u-s,g+w,o= t; stat -c %A t
s chown; chown 1000:1000 t; stat -c '%u %g' t
s hard-link; ln t t2; stat -c %h t; rm t2; stat -c %h t
s symlink; ln -s t l; readlink l; cat l; ls -l l | cut -d' ' -f1
s symlink-loop; ln -s x1 x2; ln -s x2 x1; cat x1; echo $?
s symlink-dangling; ln -s nowhere dang; cat dang; [ -L dang ] && echo link; [ -e dang ] || echo gone
s rename; mv t t3; ls t t3; echo $?
s rename-onto; echo A >A; echo B >B; mv A B; cat B
s rename-directory; mv d1 d9; ls d9
s rename-into-self; mv d9 d9/d2; echo $?
s copy; cp B C; cmp B C; echo $?
s copy-tree; cp -a d9 d10; find d10 | sort
s remove-tree; rm -rf d10; ls -d d10; echo $?
s remove-missing; rm nofile; echo $?
s remove-directory; rm d9; echo $?
s truncate; echo 0123456789 >tr; truncate -s 5 tr; cat tr; echo; truncate -s 8 tr; od -c tr
s sparse; dd if=/dev/zero of=sp bs=1 count=1 seek=1M 2>/dev/null; stat -c %s sp; md5sum sp
s dd-blocks; dd if=/dev/zero bs=1k count=100 2>/dev/null | wc -c
s dd-notrunc; printf 'XX' | dd of=tr bs=1 seek=2 conv=notrunc 2>/dev/null; od -c tr
s file-tests; [ -d d9 ] && echo d; [ -f B ] && echo f; [ -x sc ] && echo x; [ -s B ] && echo s; [ -w B ] && echo w
s newer; touch -d '2020-01-01' old; touch -d '2021-01-01' new; [ new -nt old ] && echo newer
s touch-times; touch -d '2020-02-03 04:05:06' tt; stat -c '%y' tt
s glob; touch g1 g2 g3; echo g?; echo g[13]; echo nomatch*
s glob-hidden; touch .hid; echo .h*; ls
s cd-pwd; cd d9; pwd; cd ..; pwd; cd -
s cd-missing; cd nowhere; echo $?
s cd-removed; mkdir gone; cd gone; rmdir ../gone; ls; touch x; cd /tmp/w
s pwd-physical; ln -s d9 ld; cd ld; pwd; pwd -P; cd ..
s long-name; touch $(printf '%0300d' 1); echo $?
s max-name; touch $(printf '%0255d' 1); ls | awk 'length > 200' | wc -c
s deep-tree; (i=0; while [ $i -lt 100 ]; do mkdir d; cd d; i=$((i + 1)); done; pwd | wc -c); find d | wc -l; rm -r d
s many-files; mkdir many; cd many; i=0; while [ $i -lt 2000 ]; do : >file$i; i=$((i + 1)); done; ls | wc -l; cd ..
s many-find; find many -name '*99' | sort | tail -n 5
s many-find-exec; find many -name 'file1?' -exec basename {} \; | sort | tr '\n' ' '; echo
s many-xargs; find many -type f | xargs -n 100 echo | wc -l
s many-write; for i in 1 2 3 4 5 6 7 8 9; do seq $i 1000 >many/file$i; done; cat many/* | md5sum
s many-grep; grep -rl '^500$' many | sort
s many-grep-count; grep -c 9 many/file1
s many-du; rm -f many/file1???; ls many | wc -l
s many-tar; tar cf m.tar many; tar tf m.tar | wc -l
s many-tar-extract; mkdir ex; tar xf m.tar -C ex; diff -r many ex/many && echo same
s many-targz; tar czf m.tgz many; tar tzf m.tgz | sort | md5sum
s many-remove; rm -rf ex many; ls -d ex many 2>/dev/null | wc -l
s gzip; seq 10000 >n; gzip -c n | gunzip | cmp - n && echo ok
s bzip2; bzip2 -c n | bunzip2 | cmp - n && echo ok
s xz; cat n | md5sum
s cpio; echo n | cpio -o -H newc 2>/dev/null | cpio -t 2>/dev/null
s md5sum; md5sum n
s sha256sum; sha256sum n
s cksum; cksum n
s sort-numeric; seq 20 | sort -rn | head -n 3
s sort-keys; printf 'b 2\na 10\nc 1\n' | sort -k2n
s sort-unique; printf '3\n1\n3\n2\n' | sort -u
s sort-large; seq 20000 | sort | sort -n | md5sum
s uniq; printf 'a\na\nb\n' | uniq -c
s wc; wc n | tr -s ' '
s head-tail; head -n 2 n; tail -n 2 n; tail -c 5 n
s cut-paste; printf 'a:b:c\n' | cut -d: -f2; paste -d, - - <<END
1
2
END
s tr; echo hello | tr a-y b-z
s tr-delete; echo 'h e l l o' | tr -d ' '
s sed; echo 'hello world' | sed 's/world/NOS/; s/h/H/'
s sed-in-place; echo abc >sedf; sed -i 's/b/X/' sedf; cat sedf
s sed-range; seq 10 | sed -n '3,5p'
s sed-script; printf 'a\nb\n' | sed '/a/{
i\
before
}'
s grep; printf 'one\ntwo\nthree\n' | grep -n 't'
s grep-regex; printf 'a1\nb22\n' | grep -E '[0-9]{2}'
s grep-status; grep -q nothing n; echo $?
s awk; echo '1 2 3' | awk '{ print $1 + $3, NF }'
s awk-sum; seq 1000 | awk '{ s += $1 } END { print s }'
s awk-program; awk 'BEGIN { for (i = 0; i < 3; i++) printf "%d:%s\n", i, substr("abcdef", i + 1, 2) }'
s awk-getline; echo x | awk '{ "echo from-command" | getline l; print l }'
s awk-system; awk 'BEGIN { r = system("exit 3"); print r }'
s awk-float; awk 'BEGIN { printf "%.6f %.3e\n", atan2(0, -1), exp(1) }'
s diff; printf '1\n2\n' >d_1; printf '1\n3\n' >d_2; diff d_1 d_2
s diff-unified; diff -u d_1 d_2 | tail -n 4
s patch; diff -u d_1 d_2 >p; patch d_1 p; cat d_1
s comm; printf 'a\nb\n' >c1; printf 'b\nc\n' >c2; comm c1 c2
s tee; echo teed | tee tee1 tee2; cat tee1 tee2
s xargs; seq 5 | xargs echo
s xargs-replace; printf 'a\nb\n' | xargs -I{} echo '<{}>'
s xargs-parallel; seq 8 | xargs -P 4 -n 1 echo | sort
s find-types; find . -maxdepth 1 -type l | sort
s find-size; find . -size +100k | sort
s find-prune; find d9 -name d3 -prune -o -print | sort
s expr; expr 3 + 4; expr length hello; expr hello : 'he\(.*\)'
s bc; echo '2^100; scale=5; 1/3' | bc
s dc; echo '5 3 * p' | dc
s seq; seq -s, 1 5; seq 1 0.5 2
s factor; factor 1234567890
s cal; cal 2 2024
s date; date -d @0; date -u -d '2024-02-29 12:00' +%s
s base64; echo hello | base64; echo aGVsbG8K | base64 -d
s hexdump; printf 'ABC\001' | hexdump -C
s od; printf 'abc' | od -An -tx1
s xxd; printf 'abc' | xxd
s strings; printf 'ab\0hello\0' | strings
s fold; echo 'a long line of words' | fold -w 8
s expand; printf 'a\tb\n' | expand
s rev; echo abc | rev
s tac; seq 3 | tac
s nl; printf 'x\ny\n' | nl
s split; seq 10 | split -l 4 - part; cat partaa; ls part*
s basename; basename /a/b.c .c; dirname /a/b.c
s realpath; realpath ld/../B; readlink -f ld
s test-strings; [ abc = abc ] && echo eq; [ -z '' ] && echo empty; [ 3 -gt 2 ] && echo gt
s id; id; id -u; whoami
s hostname; hostname
s groups; id -G root; id -un
s tty; tty; echo $?
s uname; uname -m; uname -n
s nice; nice -n 5 nice; nice
s ulimit; (ulimit -n 64; ulimit -n)
s ulimit-files; (ulimit -n 8; exec 3</dev/null 4</dev/null 5</dev/null 6</dev/null 7</dev/null; cat <&7; cat f 2>&1 | head -n 1); echo $?
s ulimit-size; (ulimit -f 1; trap '' XFSZ; head -c 100000 /dev/zero >big) ; stat -c %s big
s mktemp; f=$(mktemp /tmp/w/XXXXXX); [ -f "$f" ] && stat -c '%a %s' "$f"; rm "$f"
s fifo; mkfifo ff; cat ff & echo through >ff; wait
s fifo-loop; (for i in 1 2 3; do echo $i; done >ff) & cat ff; wait
s mknod; mknod nul c 1 3; echo x >nul; ls -l nul | cut -c1; stat -c '%t %T' nul
s flock; flock f -c 'echo locked'
s flock-busy; (flock 9; flock -n f -c 'echo no' || echo busy) 9>f
s proc-self; readlink /proc/self/exe; cat /proc/self/comm
s proc-cmdline; sh -c 'cat /proc/$$/cmdline; :' a b | tr '\0' ' '; echo
s proc-environ; env -i X=1 cat /proc/self/environ | tr '\0' '\n'
s proc-cwd; readlink /proc/self/cwd; ls -l /proc/self/fd/0 >/dev/null && echo ok
s proc-status; grep -E '^(Name|State|Uid|Gid|Threads):' /proc/self/status
s proc-stat; sh -c 'cut -d" " -f2,3 /proc/self/stat'
s proc-limits; grep 'Max open files' /proc/self/limits | tr -s ' '
s proc-mounts; awk '$3 == "proc" || $3 == "tmpfs" { print $2, $3 }' /proc/mounts
s proc-missing; cat /proc/999999/stat; echo $?
s proc-write; echo x >/proc/version; echo $?
s ps; ps -o comm | grep -c '^ps$'
s mount; mkdir mnt; mount -t tmpfs none mnt; echo in >mnt/f; cat mnt/f; mount | grep -c /tmp/w/mnt; umount mnt; ls mnt
s mount-size; mount -t tmpfs -o size=64k none mnt; head -c 200000 /dev/zero >mnt/z; stat -c %s mnt/z; umount mnt
s mount-bind; mount --bind d9 mnt; ls mnt; umount mnt
s mount-readonly; mount -t tmpfs -o ro none mnt; touch mnt/x; echo $?; umount mnt
s umount-busy; mount -t tmpfs none mnt; (cd mnt; umount /tmp/w/mnt; echo $?); umount mnt; echo $?
s chroot; mkdir -p jail/bin; cp /bin/busybox jail/bin/sh; chroot jail /bin/sh -c 'cd /; echo *; pwd'
s su-permission; echo secret >sec; chmod 600 sec; su user -s /bin/sh -c 'cat /tmp/w/sec; id -u'; echo $?
s su-sticky; su user -s /bin/sh -c 'rm /tmp/w/sec'; echo $?
s su-own; su user -s /bin/sh -c 'touch /tmp/mine && stat -c %u /tmp/mine'; rm -f /tmp/mine
s kill-other; sleep 5 & p=$!; su user -s /bin/sh -c "kill $p" 2>&1 | sed 's/[0-9][0-9]*/N/'; { kill $p; wait $p; } 2>/dev/null; echo $?
s setsid; setsid sh -c 'echo session'
s usleep; usleep 1000; echo $?
s recursion; r() { [ $1 -gt 0 ] && r $(($1 - 1)) || echo bottom; }; r 200
s big-argument; set -- $(seq 2000); echo $# | cat; /bin/echo "$@" | wc -c
s too-big-argument; x=$(head -c 200000 /dev/zero | tr '\0' a); /bin/echo "$x" >/dev/null; echo $?
s big-variable; x=$(seq 20000); echo "$x" | md5sum
s fork-many; i=0; while [ $i -lt 200 ]; do (:); i=$((i + 1)); done; echo forked
s nested-shells; sh -c 'sh -c "sh -c \"echo deep\""'
s eval; eval 'echo $((1+1))'; x='a b'; eval "set -- $x"; echo $#
s parameter-expansion; x=path/to/file.tar.gz; echo ${x##*/} ${x%%.*} ${#x}
s ifs; IFS=:; set -- $(echo a:b:c); echo $2; unset IFS
s getopts; set -- -a -b val rest; while getopts ab: o; do echo "$o $OPTARG"; done
s printf-octal; printf '\101\102\n'
s echo-escape; echo -e 'a\tb\nc'
s cat-number; printf 'a\nb\n' | cat -n
s vi-batch; printf 'old\n' >v; vi -c ":s/old/new/" -c ":wq" v >/dev/null; cat v
s ed; printf 'a\nline\n.\nw edf\nq\n' | ed; cat edf
s less-batch; seq 3 | less | cat
s od-device; head -c 4 /dev/zero | od -An -tx1
s sync; sync; echo $?
s df; df /tmp | tail -n 1 | awk '{ print $1, $6 }'
s uptime; uptime | grep -c 'load average'
s free; free | grep -c Mem
s last; echo finished
