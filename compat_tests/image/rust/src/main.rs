//! The Kafka modules of testcontainers-rs, unmodified:  containers apache|confluent NAME TAG
//!
//! Starts a container of the image NAME:TAG, prints the bootstrap address, and ends with standard input or its next line.

use std::env;
use std::error::Error;
use std::io::stdin;

use testcontainers_modules::kafka::{apache, confluent};
use testcontainers_modules::testcontainers::core::ContainerPort;
use testcontainers_modules::testcontainers::runners::SyncRunner;
use testcontainers_modules::testcontainers::{Image, ImageExt};

fn run(module: impl Image, port: ContainerPort, name: &str, tag: &str) -> Result<(), Box<dyn Error>> {
    let container = module.with_name(name).with_tag(tag).start()?;
    // Both modules have the broker advertise this host.
    println!("127.0.0.1:{}", container.get_host_port_ipv4(port)?);
    stdin().read_line(&mut String::new())?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["apache", name, tag] => run(apache::Kafka::default(), apache::KAFKA_PORT, name, tag),
        ["confluent", name, tag] => run(confluent::Kafka::default(), confluent::KAFKA_PORT, name, tag),
        _ => Err("usage: containers apache|confluent NAME TAG".into()),
    }
}
