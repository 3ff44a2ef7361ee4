//! What the rehearsal and its stand-in say while they work: errors on the screen, everything kept to be looked through.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

static SAID: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Kept;

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        SAID.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Listen from now on; a second call changes nothing. `RUST_LOG` says what goes to the screen.
pub fn listen() {
    let shown = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error"));
    let screen = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_filter(shown);
    let kept =
        tracing_subscriber::fmt::layer().with_ansi(false).with_writer(|| Kept).with_filter(EnvFilter::new("info"));
    let _listens_already = tracing_subscriber::registry().with(screen).with(kept).try_init();
}

/// Everything that was said since.
pub fn so_far() -> String {
    String::from_utf8_lossy(&SAID.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}
