"use strict";

const { spawn } = require("node:child_process");
const { createInterface } = require("node:readline");

/** A broker beside the tests, which ends with them. It needs the command `kafkapy`, or its path in KAFKAPY. */
async function startKafkapy() {
  const options = ["--ephemeral", "--port", "0", "--control", "0", "--json", "--exit-with-parent"];
  const child = spawn(process.env.KAFKAPY || "kafkapy", options, { stdio: ["ignore", "pipe", "inherit"] });
  const line = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`kafkapy has ended with ${code}`)));
    createInterface({ input: child.stdout }).once("line", resolve);
  });
  const started = JSON.parse(line);
  return {
    bootstrapServers: started.bootstrap_servers,
    /** An operation of the control API: `await kafkapy.call("records", { topic: "orders" })`. */
    call: async (operation, args = {}) => {
      const url = `${started.control_url}/v1/${operation}`;
      const answer = await fetch(url, { method: "POST", body: JSON.stringify(args) });
      const result = await answer.json();
      if (!answer.ok) throw new Error(result.error.message);
      return result;
    },
    stop: () => child.kill(),
  };
}

module.exports = { startKafkapy };
