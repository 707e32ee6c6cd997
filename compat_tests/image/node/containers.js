// testcontainers' own Kafka module for Node:  node containers.js kraft|network IMAGE
//                                             node containers.js secure|secure-zookeeper IMAGE DIRECTORY
//
// Starts a container, sends three records to it and reads them as a group; prints what was read as JSON. DIRECTORY has
// the certificates of `kafkapy certs` for a listener with TLS where clients log in.

'use strict'

const fs = require('node:fs')
const path = require('node:path')
const process = require('node:process')
const { KafkaContainer } = require('@testcontainers/kafka')
const { Network } = require('testcontainers')
const { Kafka, logLevel } = require('kafkajs')

const VALUES = ['one', 'two', 'three']
const SECURE_PORT = 9096
const USER = { name: 'alice', password: 'alice-secret' }

function secured(container, directory) {
  const store = name => ({ content: fs.readFileSync(path.join(directory, name)), passphrase: 'changeit' })
  return container.withSaslSslListener({
    port: SECURE_PORT,
    sasl: { mechanism: 'SCRAM-SHA-512', user: USER },
    keystore: store('server.p12'),
    truststore: store('truststore.p12')
  })
}

function security(directory) {
  return {
    ssl: { ca: fs.readFileSync(path.join(directory, 'ca.crt')) },
    sasl: { mechanism: 'scram-sha-512', username: USER.name, password: USER.password }
  }
}

async function main(flow, image, directory) {
  const network = flow === 'network' ? await new Network().start() : null
  let container = new KafkaContainer(image)
  // Without it the module chooses ZooKeeper for a version below 8.
  if (flow !== 'secure-zookeeper') container = container.withKraft()
  if (network) container = container.withNetwork(network).withNetworkAliases('kafka')
  if (directory) container = secured(container, directory)
  const started = await container.start()
  try {
    const bootstrap = `${started.getHost()}:${started.getMappedPort(directory ? SECURE_PORT : 9093)}`
    const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.ERROR, ...(directory && security(directory)) })
    const producer = kafka.producer()
    await producer.connect()
    await producer.send({ topic: 'orders', messages: VALUES.map(value => ({ value })) })
    await producer.disconnect()
    const read = []
    const consumer = kafka.consumer({ groupId: 'g' })
    await consumer.connect()
    await consumer.subscribe({ topic: 'orders', fromBeginning: true })
    await new Promise((resolve, reject) => {
      const patience = setTimeout(() => reject(new Error('no records within 20 seconds')), 20_000)
      const eachMessage = async ({ message }) => {
        read.push(message.value.toString())
        if (read.length === VALUES.length) {
          clearTimeout(patience)
          resolve()
        }
      }
      consumer.run({ eachMessage }).catch(reject)
    })
    await consumer.disconnect()
    process.stdout.write(JSON.stringify({ bootstrap, read }) + '\n')
  } finally {
    await started.stop()
    if (network) await network.stop()
  }
}

main(...process.argv.slice(2)).catch(error => {
  process.stderr.write(`${error.stack}\n`)
  process.exit(1)
})
