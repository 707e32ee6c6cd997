// KafkaJS behind the command line that compat_tests/go/main.go describes:
//
//   node clients.js kafkajs create BOOTSTRAP TOPIC PARTITIONS
//   node clients.js kafkajs produce BOOTSTRAP TOPIC CODEC
//   node clients.js kafkajs consume BOOTSTRAP TOPIC COUNT earliest|TIMESTAMP_MS
//   node clients.js kafkajs member BOOTSTRAP GROUP TOPIC SESSION_TIMEOUT_MS
//   node clients.js kafkajs admin BOOTSTRAP TOPIC GROUP TIMESTAMP_MS

'use strict'

const fs = require('node:fs')
const path = require('node:path')
const process = require('node:process')
const readline = require('node:readline')
const { setTimeout: sleep } = require('node:timers/promises')
const { ZstdCodec } = require('zstd-codec')
const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = require('kafkajs')

CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => Buffer.from((await zstd()).compress(encoder.buffer)),
  decompress: async buffer => Buffer.from((await zstd()).decompress(buffer)),
})

function zstd() {
  return new Promise(resolve => ZstdCodec.run(({ Simple }) => resolve(new Simple())))
}

const PATIENCE_MS = 30_000 // far more than anything here needs: whoever waits this long has failed
const CODECS = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  zstd: CompressionTypes.ZSTD,
}

const say = line => process.stdout.write(JSON.stringify(line) + '\n')
const base64 = bytes => (bytes === null ? null : bytes.toString('base64'))
const bytes = text => (text === null ? null : Buffer.from(text, 'base64'))

// The TLS of all connections: with the authority and the client of the directory that COMPAT_CERTIFICATES names.
function security() {
  const directory = process.env.COMPAT_CERTIFICATES
  if (!directory) return false
  const read = name => fs.readFileSync(path.join(directory, name), 'utf-8')
  return { ca: [read('ca.crt')], cert: read('alice.crt'), key: read('alice.key') }
}

function connect(bootstrap, retries = 100) {
  return new Kafka({
    clientId: 'kafkapy-compat',
    brokers: bootstrap.split(','),
    ssl: security(),
    logLevel: logLevel.ERROR,
    // Standard output is for what the test reads.
    logCreator: () => ({ log }) => console.error(JSON.stringify(log)),
    retry: { initialRetryTime: 50, maxRetryTime: 200, retries },
  })
}

// The error code Kafka answered, however deep KafkaJS wrapped it; what is something else is thrown on.
function errorCode(error) {
  for (let inner = error; inner; inner = inner.cause ?? inner.originalError ?? inner.errors?.[0] ?? inner.groups?.[0].error) {
    if (Number.isInteger(inner.code)) return inner.code
  }
  throw error
}

async function codeOf(promise) {
  try {
    await promise
    return 0
  } catch (error) {
    return errorCode(error)
  }
}

async function until(what, condition) {
  const end = Date.now() + PATIENCE_MS
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within ${PATIENCE_MS} ms: ${what}`)
    await sleep(10)
  }
}

async function create(bootstrap, topic, partitions) {
  const admin = connect(bootstrap).admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: Number(partitions) }], waitForLeaders: true })
  await admin.disconnect()
}

async function produce(bootstrap, topic, codec) {
  const producer = connect(bootstrap).producer({ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: true })
  await producer.connect()
  const lines = []
  let ended = false
  const input = readline.createInterface({ input: process.stdin, crlfDelay: Infinity })
  input.on('line', line => lines.push(JSON.parse(line)))
  input.on('close', () => (ended = true))

  while (!ended || lines.length > 0) {
    if (lines.length === 0) {
      await sleep(1)
      continue
    }
    // One partition in one request: its answer then says every record's offset.
    const { partition } = lines[0]
    let count = 1
    while (count < 100 && count < lines.length && lines[count].partition === partition) count++
    const messages = lines.splice(0, count).map(record => ({
      partition,
      timestamp: String(record.timestamp),
      key: bytes(record.key),
      value: bytes(record.value),
      headers: Object.fromEntries(record.headers.map(header => [header.key, bytes(header.value)])),
    }))
    try {
      const [answer] = await producer.send({ topic, acks: -1, compression: CODECS[codec], messages })
      messages.forEach((_, n) => say({ partition, offset: Number(answer.baseOffset) + n, error: 0 }))
    } catch (error) {
      const code = errorCode(error)
      messages.forEach(() => say({ partition, offset: -1, error: code }))
    }
  }
  await producer.disconnect()
}

async function consume(bootstrap, topic, count, from) {
  const kafka = connect(bootstrap)
  // KafkaJS consumes in groups only: one nobody else is in.
  const consumer = kafka.consumer({ groupId: `${topic}-${process.pid}-${Date.now()}`, maxWaitTimeInMs: 100 })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const joined = new Promise(resolve => consumer.on(consumer.events.GROUP_JOIN, resolve))
  // Who seeks has read nothing yet: a record that came before the seek is not shown.
  let started = from === 'earliest'
  let left = Number(count)
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error))
    setTimeout(() => reject(new Error(`${left} of ${count} records are missing`)), PATIENCE_MS).unref()
    consumer
      .run({
        eachMessage: async ({ partition, message }) => {
          if (!started || left === 0) return
          say({
            partition,
            offset: Number(message.offset),
            timestamp: Number(message.timestamp),
            key: base64(message.key),
            value: base64(message.value),
            headers: Object.entries(message.headers).map(([key, value]) => ({ key, value: base64(value) })),
          })
          if (--left === 0) resolve()
        },
      })
      .then(async () => {
        await joined
        if (from === 'earliest') return
        const admin = kafka.admin()
        await admin.connect()
        const offsets = await admin.fetchTopicOffsetsByTimestamp(topic, Number(from))
        await admin.disconnect()
        started = true
        offsets.forEach(({ partition, offset }) => consumer.seek({ topic, partition, offset }))
      })
      .catch(reject)
  })
  await consumer.disconnect()
}

async function member(bootstrap, group, topic, sessionTimeoutMs) {
  const sessionTimeout = Number(sessionTimeoutMs)
  const consumer = connect(bootstrap).consumer({
    groupId: group,
    sessionTimeout,
    heartbeatInterval: 100, // how soon it hears of a rebalance
    rebalanceTimeout: 10_000,
    maxWaitTimeInMs: 100,
  })
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) =>
    say({ assigned: (payload.memberAssignment[topic] ?? []).sort((a, b) => a - b) })
  )
  consumer.on(consumer.events.REBALANCING, () => say({ assigned: [] }))
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  process.once('SIGTERM', () => consumer.disconnect().then(() => process.exit(0)))
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ partition, message }) => {
      say({ value: message.value.toString() })
      await consumer.commitOffsets([{ topic, partition, offset: String(Number(message.offset) + 1) }])
    },
  })
}

async function adminRound(bootstrap, topic, group, timestampMs) {
  const admin = connect(bootstrap).admin()
  await admin.connect()
  const round = {}

  const cluster = await admin.describeCluster()
  round.ports = cluster.brokers.map(broker => broker.port)
  round.has_controller = cluster.controller !== null

  const made = `${topic}-made`
  const definition = {
    topic: made,
    numPartitions: 2,
    configEntries: [{ name: 'retention.ms', value: '60000' }],
  }
  await admin.createTopics({ topics: [definition] })
  // KafkaJS says false where the broker said TOPIC_ALREADY_EXISTS.
  round.create_again_error = (await admin.createTopics({ topics: [definition] })) ? 0 : 36
  round.invalid_name_error = await codeOf(admin.createTopics({ topics: [{ topic: 'not a name!' }] }))
  // KafkaJS takes an unknown topic for one that is about to come, and would ask for it a hundred times.
  const hasty = connect(bootstrap, 0).admin()
  await hasty.connect()
  round.delete_unknown_error = await codeOf(hasty.deleteTopics({ topics: [`${topic}-unknown`] }))
  await hasty.disconnect()
  const partitions = async () => (await admin.fetchTopicMetadata({ topics: [made] })).topics[0].partitions.length
  await until('created', async () => (await partitions()) === 2)
  await admin.createPartitions({ topicPartitions: [{ topic: made, count: 4 }] })
  await until('four partitions', async () => (await partitions()) === 4)
  round.partitions = await partitions()
  const retention = async () => {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: true,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: made, configNames: ['retention.ms'] }],
    })
    return resources[0].configEntries[0].configValue
  }
  round.retention = [await retention()]
  await admin.alterConfigs({
    resources: [
      { type: ConfigResourceTypes.TOPIC, name: made, configEntries: [{ name: 'retention.ms', value: '120000' }] },
    ],
  })
  await until('altered', async () => (await retention()) !== '60000')
  round.retention.push(await retention())
  await admin.deleteTopics({ topics: [made] })
  await until('deleted', async () => !(await admin.listTopics()).includes(made))
  round.topic_gone = true

  const ends = async () => (await admin.fetchTopicOffsets(topic))[0]
  round.earliest = Number((await ends()).low)
  round.latest = Number((await ends()).high)
  round.at_timestamp = Number((await admin.fetchTopicOffsetsByTimestamp(topic, Number(timestampMs)))[0].offset)
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '3' }] })
  round.earliest_after_cut = Number((await ends()).low)

  await admin.setOffsets({ groupId: group, topic, partitions: [{ partition: 0, offset: '5' }] })
  round.committed = Number((await admin.fetchOffsets({ groupId: group, topics: [topic] }))[0].partitions[0].offset)
  round.group_listed = (await admin.listGroups()).groups.some(({ groupId }) => groupId === group)
  round.group_state = (await admin.describeGroups([group])).groups[0].state
  await admin.deleteGroups([group])
  round.delete_group_again_error = await codeOf(admin.deleteGroups([group]))
  say(round)
  await admin.disconnect()
}

const [, , , command, ...rest] = process.argv
const commands = { create, produce, consume, member, admin: adminRound }
commands[command](...rest).catch(error => {
  console.error(error)
  process.exit(1)
})
