//! `stack::testing::shared`: one stack for a test program, which ends with it.

mod support;

use std::process::Command;

use support::assert_nothing_is_left;

/// Run in a process of its own by the test below; fails on purpose while the shared stack runs.
#[test]
#[ignore = "run by another test"]
fn fails_with_the_shared_stack() {
    let endpoints = stack::testing::shared();
    panic!("{} {}", endpoints.kafka_brokers, endpoints.mongodb_uri);
}

#[test]
fn the_shared_stack_ends_with_a_failed_test_program() {
    let temporary = tempfile::tempdir().unwrap();
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args(["--ignored", "--exact", "fails_with_the_shared_stack"]);
    program.env("TMPDIR", temporary.path()).env_remove("KAFKA_BROKERS").env_remove("MONGODB_URI");
    let output = program.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success());
    assert!(text.contains("127.0.0.1:") && text.contains("replicaSet=rs0"), "{text}");
    assert_nothing_is_left(temporary.path());
}

#[tokio::test]
async fn all_tests_get_the_same_servers() {
    let (first, second) = (stack::testing::shared(), stack::testing::shared());
    assert!(std::ptr::eq(first, second));
    let client = mongodb::Client::with_uri_str(&first.mongodb_uri).await.unwrap();
    client.list_database_names().await.unwrap();
}
