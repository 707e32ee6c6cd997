"use strict";

const assert = require("node:assert/strict");
const { after, afterEach, before, test } = require("node:test");
const { Kafka, logLevel } = require("kafkajs");
const { bill, placeOrder } = require("./shop.js");
const { startKafkapy } = require("./kafkapy.js");

let kafkapy;
let kafka;

before(async () => {
  kafkapy = await startKafkapy();
  kafka = new Kafka({
    brokers: kafkapy.bootstrapServers.split(","),
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 20 },
  });
});
afterEach(() => kafkapy.call("reset"));
after(() => kafkapy.stop());

test("an order is stored", async () => {
  await placeOrder(kafka, "alice", "1 tea");
  const records = await kafkapy.call("records", { topic: "orders" });
  assert.deepEqual(
    records.map(({ key, value }) => [key, value]),
    [["alice", "1 tea"]],
  );
});

test("an order is sent again when the leader moves", async () => {
  await kafkapy.call("create_topic", { name: "orders" });
  const rule = { api: "Produce", topic: "orders", error: "NOT_LEADER_OR_FOLLOWER", times: 2 };
  const [fault] = await kafkapy.call("add_faults", { rules: [rule] });
  await placeOrder(kafka, "alice", "1 tea");
  assert.equal((await kafkapy.call("records", { topic: "orders" })).length, 1);
  await kafkapy.call("wait_for_fault", { fault_id: fault.fault_id, fired: 2 });
});

test("an order has an invoice, and what is no order is set aside", async () => {
  for (const topic of ["orders", "invoices", "orders.dlt"]) await kafkapy.call("create_topic", { name: topic });
  const orders = ["3 tea", "many cakes", "1 coffee"].map((value) => ({ value }));
  await kafkapy.call("produce", { topic: "orders", records: orders });
  const billing = await bill(kafka);
  const invoices = await kafkapy.call("wait_for_records", { topic: "invoices", count: 2, timeout: 60 });
  const dead = await kafkapy.call("records", { topic: "orders.dlt" });
  await billing.stop();
  assert.deepEqual(
    invoices.map(({ value }) => value),
    ["tea: 750 cents", "coffee: 250 cents"],
  );
  assert.equal(dead[0].value, "many cakes");
});
