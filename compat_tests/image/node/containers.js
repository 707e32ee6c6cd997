// testcontainers' own Kafka module for Node:  node containers.js kraft|network IMAGE
//
// Starts a container, sends three records to it and reads them as a group; prints what was read as JSON.

'use strict'

const process = require('node:process')
const { KafkaContainer } = require('@testcontainers/kafka')
const { Network } = require('testcontainers')
const { Kafka, logLevel } = require('kafkajs')

const VALUES = ['one', 'two', 'three']

async function main(flow, image) {
  const network = flow === 'network' ? await new Network().start() : null
  let container = new KafkaContainer(image).withKraft()
  if (network) container = container.withNetwork(network).withNetworkAliases('kafka')
  const started = await container.start()
  try {
    const bootstrap = `${started.getHost()}:${started.getMappedPort(9093)}`
    const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.ERROR })
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
