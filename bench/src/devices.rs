//! A disk and a network card for the guest, and what is at their other end: a file, and a server on the host.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use xtask::error::{AtPath, Error, Result};
use xtask::vm::{Net, Options};

use crate::suites::Suite;

/// The disk's name on Linux.
pub const DISK: &str = "/dev/vda";
/// The host's address in QEMU's user-mode network.
pub const HOST: &str = "10.0.2.2";
/// The variable that tells the guest's commands the port of the host's iperf3.
pub const PORT_VARIABLE: &str = "IPERF3_PORT";

const DISK_BYTES: u64 = 64 << 20;

/// The devices of one machine, as long as it runs; none for a suite that wants none.
pub struct Devices(Option<(tempfile::NamedTempFile, Server)>);

impl Devices {
    /// Makes the disk's image, and starts the server that the suite's packages hold.
    pub fn start(suite: &Suite, overlays: &[PathBuf]) -> Result<Self> {
        if !suite.devices {
            return Ok(Self(None));
        }
        let image = tempfile::NamedTempFile::new().at(std::env::temp_dir())?;
        image.as_file().set_len(DISK_BYTES).at(image.path())?;
        Ok(Self(Some((image, Server::start(overlays)?))))
    }

    /// The machine with these devices.
    pub fn attached_to(&self, mut options: Options) -> Options {
        if let Self(Some((image, server))) = self {
            options.disk.push(image.path().to_path_buf());
            options.net = Net::User;
            options.env.push(format!("{PORT_VARIABLE}={}", server.port));
        }
        options
    }
}

/// An iperf3 server: the guest's own program and libraries, run by the host.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(overlays: &[PathBuf]) -> Result<Self> {
        let file = |path: &str| {
            let mut candidates = overlays.iter().map(|overlay| overlay.join(path));
            candidates.find(|file| file.exists()).ok_or_else(|| {
                Error::Format(format!("no package has {path}, which is to run on the host"))
            })
        };
        let (program, loader) =
            (file("usr/bin/iperf3")?, file("usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")?);
        let libraries: Vec<String> = overlays
            .iter()
            .map(|overlay| overlay.join("usr/lib/x86_64-linux-gnu").display().to_string())
            .collect();
        let port = free_port()?;
        let child = Command::new("setpriv")
            // It must not outlive this program, however that ends.
            .args(["--pdeathsig", "KILL"])
            .arg(&loader)
            .args(["--library-path", &libraries.join(":")])
            .arg(&program)
            .args(["--server", "--port", &port.to_string()])
            .args(["--bind", &Ipv4Addr::LOCALHOST.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|source| Error::Start { program: "setpriv".into(), source })?;
        Ok(Self { child, port })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A port that nobody listened on a moment ago.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).at(Path::new("a free port"))?;
    Ok(listener.local_addr().at(Path::new("a free port"))?.port())
}
