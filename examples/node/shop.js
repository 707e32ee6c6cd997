"use strict";

/** Stores an order, and returns when it is stored. */
async function placeOrder(kafka, customer, item) {
  const producer = kafka.producer();
  await producer.connect();
  try {
    await producer.send({ topic: "orders", messages: [{ key: customer, value: item }] });
  } finally {
    await producer.disconnect();
  }
}

/** Writes an invoice for each order until `stop` of the result is called; what cannot be billed goes to orders.dlt. */
async function bill(kafka) {
  const producer = kafka.producer();
  const consumer = kafka.consumer({ groupId: "billing", retry: { retries: 8, initialRetryTime: 20 } });
  await producer.connect();
  await consumer.connect();
  await consumer.subscribe({ topic: "orders", fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => {
      const words = /^(\d+) (.+)$/.exec(message.value.toString());
      const [topic, value] = words
        ? ["invoices", `${words[2]}: ${250 * Number(words[1])} cents`]
        : ["orders.dlt", message.value];
      await producer.send({ topic, messages: [{ key: message.key, value }] });
    },
  });
  return {
    stop: async () => {
      await consumer.disconnect();
      await producer.disconnect();
    },
  };
}

module.exports = { placeOrder, bill };
