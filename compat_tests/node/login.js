// KafkaJS logs in, produces one record to a topic that exists, and prints what is read back:
// node login.js BOOTSTRAP TOPIC MECHANISM USER SECRET; for OAUTHBEARER the secret is the token.
'use strict'

const { Kafka, logLevel } = require('kafkajs')

async function main([bootstrap, topic, mechanism, username, secret]) {
  const sasl = mechanism === 'OAUTHBEARER'
    ? { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: secret }) }
    : { mechanism: mechanism.toLowerCase(), username, password: secret }
  const kafka = new Kafka({ brokers: bootstrap.split(','), sasl, ssl: false, retry: { retries: 1 }, logLevel: logLevel.NOTHING })
  const producer = kafka.producer()
  await producer.connect()
  await producer.send({ topic, messages: [{ value: 'kafkajs' }] })
  await producer.disconnect()
  const consumer = kafka.consumer({ groupId: `kafkajs-${mechanism}` })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await new Promise(resolve => consumer.run({
    eachMessage: async ({ message }) => { if (message.value.toString() === 'kafkajs') resolve() },
  }))
  await consumer.disconnect()
  console.log('kafkajs')
}

main(process.argv.slice(2)).catch(error => { console.error(error.message); process.exit(1) })
