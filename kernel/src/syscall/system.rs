//! The system: uname, sysinfo, getrandom, reboot, syslog, sethostname.

use super::table::calls;

calls! {}
