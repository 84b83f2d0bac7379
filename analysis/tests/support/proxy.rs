//! A cable between the driver and mongod that a test can pull out.

use std::{
    io,
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// Forwards connections of a free port to `server` until it is cut.
pub struct Proxy {
    port: u16,
    cable: Arc<Cable>,
}

#[derive(Default)]
struct Cable {
    is_cut: AtomicBool,
    ends: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    pub fn new(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let cable = Arc::new(Cable::default());
        let ours = Arc::clone(&cable);
        // Ends with the test program: nothing waits for it.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A connection that is refused, or ends, is what the test is about.
                let _ = ours.connect(client, &server);
            }
        });
        Self { port, cable }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends every connection and takes no new one.
    pub fn cut(&self) {
        self.cable.is_cut.store(true, Ordering::SeqCst);
        for end in self.cable.ends.lock().expect("no test panics with it").drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// Takes connections again.
    pub fn mend(&self) {
        self.cable.is_cut.store(false, Ordering::SeqCst);
    }
}

impl Cable {
    fn connect(&self, client: TcpStream, server: &str) -> io::Result<()> {
        if self.is_cut.load(Ordering::SeqCst) {
            return client.shutdown(Shutdown::Both);
        }
        let server = TcpStream::connect(server)?;
        for (mut from, mut to) in
            [(client.try_clone()?, server.try_clone()?), (server.try_clone()?, client.try_clone()?)]
        {
            thread::spawn(move || {
                let _ = io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
        }
        self.ends.lock().expect("no test panics with it").extend([client, server]);
        Ok(())
    }
}
