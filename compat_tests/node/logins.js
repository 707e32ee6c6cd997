// KafkaJS logs in by each login of a plan (compat_tests/security/pairs.py), produces a record and reads it in a group:
// a line says which login, and what was read, or what the client said when it was refused.
'use strict'

const fs = require('node:fs')
const process = require('node:process')
const { Kafka, logLevel } = require('kafkajs')

function connect(plan, login) {
  const read = path => fs.readFileSync(path, 'utf-8')
  const own = login.certificate ? { cert: read(plan.certificate), key: read(plan.key) } : {}
  const sasl = login.mechanism === 'OAUTHBEARER'
    ? { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: login.secret }) }
    : { mechanism: login.mechanism.toLowerCase(), username: login.user, password: login.secret }
  return new Kafka({
    brokers: [login.bootstrap],
    ssl: login.protocol.endsWith('SSL') ? { ca: [read(plan.ca)], ...own } : false,
    ...(login.mechanism ? { sasl } : {}),
    retry: { initialRetryTime: 50, maxRetryTime: 200, retries: login.wrong ? 1 : 100 },
    logLevel: logLevel.NOTHING,
  })
}

async function roundTrip(kafka, login) {
  const producer = kafka.producer()
  await producer.connect()
  await producer.send({ topic: login.topic, messages: [{ value: login.name }] })
  await producer.disconnect()
  const consumer = kafka.consumer({ groupId: login.group })
  await consumer.connect()
  await consumer.subscribe({ topics: [login.topic], fromBeginning: true })
  const value = await new Promise(resolve => consumer.run({
    eachMessage: async ({ message }) => resolve(message.value.toString()),
  }))
  await consumer.disconnect()
  return value
}

async function main(file) {
  const plan = JSON.parse(fs.readFileSync(file, 'utf-8'))
  await Promise.all(plan.logins.map(async login => {
    const said = await roundTrip(connect(plan, login), login).catch(error => error.message)
    console.log(JSON.stringify({ login: login.name, said }))
  }))
}

main(process.argv[2]).catch(error => { console.error(error); process.exit(1) })
