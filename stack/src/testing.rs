//! One shared stack for all tests of a test program.

use std::sync::OnceLock;

use crate::{KAFKA_BROKERS, MONGODB_URI, Stack, StackOptions};

/// Addresses of the servers of [`shared`].
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// `host:port` of Kafka.
    pub kafka_brokers: String,
    /// The connection string of MongoDB.
    pub mongodb_uri: String,
}

/// Returns the servers that [`KAFKA_BROKERS`] and [`MONGODB_URI`] name, if both are set (as under `stack run -- cargo test`). Otherwise
/// the first call starts a stack, which all tests share and which ends with the program.
///
/// Each test must use its own topic and database. The function can be called with and without a runtime, and blocks until the servers
/// are ready.
///
/// # Panics
/// If the stack does not start, with the reason.
pub fn shared() -> &'static Endpoints {
    static ENDPOINTS: OnceLock<Endpoints> = OnceLock::new();
    ENDPOINTS.get_or_init(|| from_environment().unwrap_or_else(start))
}

fn from_environment() -> Option<Endpoints> {
    let set = |variable| std::env::var(variable).ok().filter(|value| !value.is_empty());
    Some(Endpoints { kafka_brokers: set(KAFKA_BROKERS)?, mongodb_uri: set(MONGODB_URI)? })
}

/// Starts a stack that is never dropped. Its guardians detect the end of this process.
fn start() -> Endpoints {
    // On a separate thread, because a runtime cannot be started inside of the runtime of an async test.
    let started = std::thread::spawn(|| {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
        runtime.block_on(Stack::start(StackOptions::default())).map_err(|error| error.to_string())
    });
    let stack = match started.join() {
        Ok(Ok(stack)) => stack,
        Ok(Err(error)) => panic!("the stack for the tests did not start: {error}"),
        Err(panic) => std::panic::resume_unwind(panic),
    };
    let (Some(brokers), Some(uri)) = (stack.kafka_brokers(), stack.mongodb_uri()) else {
        unreachable!("both servers were asked for");
    };
    let endpoints = Endpoints { kafka_brokers: brokers.to_owned(), mongodb_uri: uri.to_owned() };
    std::mem::forget(stack);
    endpoints
}
