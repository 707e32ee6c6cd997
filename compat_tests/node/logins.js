// KafkaJS logs in by each login of a plan (compat_tests/security/pairs.py), produces a record and reads it in a group:
// a line says which login, and what was read, or what the client said when it was refused. With a second argument it
// produces by the first login until something comes on standard input.
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
    reauthenticationThreshold: 500, // by default 10 s: it would log in before each request of a shorter session
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

async function sendUntilEnd(kafka, login) {
  let ended = false
  process.stdin.on('data', () => { ended = true }).on('end', () => { ended = true })
  const producer = kafka.producer()
  await producer.connect()
  while (!ended) {
    await producer.send({ topic: login.topic, messages: [{ value: login.name }] })
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  await producer.disconnect()
  process.exit(0)
}

async function main(file, send) {
  const plan = JSON.parse(fs.readFileSync(file, 'utf-8'))
  if (send) return sendUntilEnd(connect(plan, plan.logins[0]), plan.logins[0])
  await Promise.all(plan.logins.map(async login => {
    const said = await roundTrip(connect(plan, login), login).catch(error => error.message)
    console.log(JSON.stringify({ login: login.name, said }))
  }))
}

main(process.argv[2], process.argv[3]).catch(error => { console.error(error); process.exit(1) })
