//! Programs that people run, with work for about a second each: what a user would notice.
//!
//! The figure is the time from fork to wait, by the guest's driver, unless the program measures itself.

use super::{Case, Scales, Suite, number_after, number_before};
use crate::guest::Ran;

const TIME: &str = "/run/bench/driver time";
/// Something to compress: a library, the same bytes on both kernels.
const DATA: &str = "head -c 2000000 /usr/lib/x86_64-linux-gnu/libcrypto.so.3 >data";

pub(super) fn suite() -> Suite {
    let mut cases = compression();
    cases.extend(interpreters());
    cases.extend(tools());
    cases.extend(databases());
    cases.push(web_server());
    Suite {
        name: "programs",
        packages: &[
            "7zip",
            "dash",
            "git",
            "lua5.4",
            "nginx",
            "openssl",
            "perl-base",
            "redis-server",
            "redis-tools",
            "sqlite3",
            "wrk",
            "xz-utils",
            "zstd",
        ],
        recipes: &["sqlite", "tcc"],
        devices: false,
        cases,
    }
}

/// A case that times one command after `prepare`.
fn timed(name: &str, label: &str, prepare: &str, command: &str) -> Case {
    Case::new(name, label, format!("{prepare} && {TIME} {command} >out && tail -n 1 out"))
        .time(elapsed)
}

fn compression() -> Vec<Case> {
    vec![
        timed("zstd", "compress, level 3", DATA, "zstd -q -3 -k data -o data.zst"),
        timed("xz", "compress, level 0", DATA, "xz -0 -k data"),
        timed("7z", "add, level 1", DATA, "7z a -mx1 -mmt1 data.7z data"),
    ]
}

fn interpreters() -> Vec<Case> {
    let lua = "echo 'local t = {} for i = 1, 300000 do t[i % 1000] = (t[i % 1000] or 0) + i end print(t[7])' >p";
    let perl = "echo 'my %h; $h{$_ % 1000} += $_ for 1..200000; print $h{7}' >p";
    let shell = "echo 'i=0; while [ $i -lt 200 ]; do /bin/true; x=$(echo $i); i=$((i+1)); done' >p";
    let c = "for i in $(seq 2000); do echo \"int f$i(int x) { return x * $i; }\"; done >p.c";
    vec![
        timed("lua", "a loop over a table", lua, "lua5.4 p"),
        timed("perl", "a loop over a hash", perl, "perl p"),
        timed("dash", "200 commands and substitutions", shell, "dash p").headline(),
        timed("tcc", "compile 2,000 functions", c, "tcc -c p.c"),
        timed(
            "tcc",
            "compile itself",
            "cp -r /usr/src/tcc .",
            "tcc -static -DONE_SOURCE -o tcc2 tcc/tcc.c",
        ),
    ]
}

fn tools() -> Vec<Case> {
    let files = "mkdir r && cd r && for i in $(seq 0 19); do mkdir d$i; done; \
                 for i in $(seq 300); do echo \"file $i\" >d$((i%20))/f$i; done";
    let git = "export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a GIT_COMMITTER_NAME=a \
               GIT_COMMITTER_EMAIL=a";
    let repository = format!("{git} && {files} && git init -q");
    let committed = format!("{repository} && git add . && git commit -qm one");
    vec![
        timed("git", "add 300 files", &repository, "git add .").headline(),
        timed(
            "git",
            "commit 300 files",
            &format!("{repository} && git add ."),
            "git commit -qm one",
        ),
        timed("git", "status of 300 files", &committed, "git status"),
        timed("tar", "300 files", files, "tar cf ../r.tar ."),
        timed("find", "300 files", files, "find . -type f -size +0"),
        Case::new(
            "openssl",
            "AES-128-GCM, 1 KiB",
            "openssl speed -seconds 1 -bytes 1024 -evp aes-128-gcm 2>/dev/null",
        )
        .rate("KB", kilobytes),
    ]
}

fn databases() -> Vec<Case> {
    let inserts = "(echo 'create table t (a integer primary key, b text); begin;'; for i in $(seq 2000); do \
                   echo \"insert into t values ($i, 'text $i');\"; done; echo 'commit; select count(*), max(b) \
                   from t where b like \"%9%\";') >sql";
    let single = "(echo 'create table t (a integer primary key, b text);'; for i in $(seq 100); do \
                  echo \"insert into t values ($i, 'text $i');\"; done) >sql";
    let mut cases = vec![
        timed("sqlite3", "2,000 inserts, one transaction", inserts, "sqlite3 db '.read sql'"),
        timed("sqlite3", "100 transactions", single, "sqlite3 db '.read sql'").headline(),
        timed("speedtest1", "size 2", "true", "speedtest1 --size 2 db"),
    ];
    let server =
        "redis-server --port 0 --unixsocket /tmp/bench/s --save '' --daemonize yes >/dev/null";
    for (test, headline, scales) in [
        ("PING_MBULK", false, Scales::No),
        ("SET", true, Scales::Yes),
        ("GET", true, Scales::No),
        ("LPUSH", false, Scales::No),
    ] {
        let client =
            format!("redis-benchmark -s /tmp/bench/s -n 20000 -c 20 -q -t {}", test.to_lowercase());
        let mut case = Case::new(
            "redis",
            &format!("{test}, unix socket"),
            format!("{server}; sleep 1; {client}"),
        )
        .rate("request", requests);
        case.scales = scales;
        cases.push(if headline { case.headline() } else { case });
    }
    let server = "redis-server --save '' --daemonize yes >/dev/null";
    let client = "redis-benchmark -n 20000 -c 20 -q -t set";
    let mut tcp = Case::new("redis", "SET, TCP", format!("{server}; sleep 1; {client}"))
        .rate("request", requests);
    tcp.scales = Scales::Yes;
    cases.push(tcp);
    cases
}

/// A page of 612 bytes to 10 connections.
fn web_server() -> Case {
    let page =
        "mkdir -p /var/lib/nginx /var/log/nginx html && head -c 612 /dev/zero >html/index.html";
    let settings = "echo 'events {} http { access_log off; server { listen 127.0.0.1:80; root html; } }' >nginx.conf";
    let server = "nginx -p . -c nginx.conf -e /dev/null";
    let client = "wrk --threads 1 --connections 10 --duration 2s http://127.0.0.1/index.html";
    let mut case = Case::new(
        "nginx",
        "wrk, 10 connections",
        format!("{page} && {settings} && {server} && {client}"),
    )
    .rate("request", requests_per_second);
    case.scales = Scales::Yes;
    case
}

/// `elapsed_ns 12345`, from the driver.
fn elapsed(ran: &Ran) -> Option<f64> {
    ran.output.lines().find_map(|line| line.strip_prefix("elapsed_ns "))?.parse().ok()
}

/// `AES-128-GCM      123456.78k`.
fn kilobytes(ran: &Ran) -> Option<f64> {
    let line = ran.output.lines().rfind(|line| line.starts_with("AES-128-GCM"))?;
    line.split_whitespace().next_back()?.strip_suffix('k')?.parse().ok()
}

/// `SET: 12345.68 requests per second, p50=0.3 msec`, the last of the lines that overwrite each other.
fn requests(ran: &Ran) -> Option<f64> {
    let line = ran.output.split(['\r', '\n']).rfind(|line| line.contains("requests per second"))?;
    number_before(line, "requests per second")
}

/// `Requests/sec:  12345.67`.
fn requests_per_second(ran: &Ran) -> Option<f64> {
    number_after(&ran.output, "Requests/sec:")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::guest::End;

    fn ran(output: &str) -> Ran {
        Ran { output: output.into(), end: End::Exit(0), elapsed: Duration::from_secs(1) }
    }

    #[test]
    fn times_of_commands_are_read() {
        assert_eq!(elapsed(&ran("2 files\nelapsed_ns 12345\n")), Some(12345.0));
        assert_eq!(elapsed(&ran("driver: xz: No such file or directory\n")), None);
    }

    #[test]
    fn cipher_rates_are_read() {
        let output = "The 'numbers' are in 1000s of bytes per second processed.\n\
                      type           1024 bytes\nAES-128-GCM     123456.78k\n";
        assert_eq!(kilobytes(&ran(output)), Some(123_456.78));
    }

    #[test]
    fn requests_a_second_are_read() {
        let output = "\rSET: rps=0.0 (overall: 0.0) avg_msec=-nan\r                    \r\
                      SET: 12345.68 requests per second, p50=0.303 msec                    \n\n";
        assert_eq!(requests(&ran(output)), Some(12345.68));
        assert_eq!(requests(&ran("Could not connect to Redis\n")), None);
    }
}
