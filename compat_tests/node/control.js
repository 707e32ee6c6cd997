// KafkaJS, driven into faults by the control API, as a test of somebody who has copied its client.
//
//   node control.js BOOTSTRAP URL TOKEN      one JSON object of what it met

'use strict'

const assert = require('node:assert')
const process = require('node:process')
const { Kafka, logLevel } = require('kafkajs')
const {
  KafkapyControl, InvalidArgument, NotAuthorized, NotFound, RefusedByKafka, NotYet, bytesOf,
} = require('./kafkapy-control.cjs')

const SOON = 30 // seconds

async function meetRefusals(control, url) {
  const stranger = new KafkapyControl(url, 'a guess')
  const topic = { name: 'orders', partitions: 1, replicas: 3 }
  await control.call('create_topic', topic)
  const asked = [
    [() => stranger.reset(), NotAuthorized],
    [() => control.addFault({ api: 'Produce', topik: 'orders', disconnect: 'before' }), InvalidArgument],
    [() => control.call('topic', { name: 'payments' }), NotFound],
    [() => control.call('create_topic', topic), RefusedByKafka],
    [() => control.call('wait_for_records', { topic: 'orders', timeout: 0.01 }), NotYet],
  ]
  const refusals = []
  for (const [ask, kind] of asked) {
    const error = await ask().then(() => null, refused => refused)
    assert(error instanceof kind, error)
    refusals.push({
      status: error.status, kind: error.kind, field: error.field ?? '', nearest: error.nearest ?? '', code: error.code ?? 0,
    })
  }
  return { refusals }
}

async function valuesOf(control) {
  return (await control.call('records', { topic: 'orders' })).map(({ value }) => bytesOf(value).toString())
}

async function meetAnError(control, send) {
  const events = await control.events()
  const fault = await control.addFault({
    api: 'Produce', topic: 'orders', error: 'NOT_LEADER_OR_FOLLOWER', times: 1, must_fire: true,
  })
  await send('orders', 'tried again')
  const { matched, fired } = await fault.wait({ fired: 1, timeout: SOON })
  const answers = []
  for await (const { event, data } of events) {
    if (event === 'exchange' && data.api === 'Produce' && data.clientId === 'driven') answers.push(data.errors)
    if (answers.length === 2) break
  }
  await fault.remove()
  return { matched, fired, answers }
}

async function meetABarrier(control, send) {
  const fault = await control.addFault({ api: 'Produce', hold: 'before' })
  const sent = send('orders', 'held')
  await fault.wait({ held: 1, timeout: SOON })
  const whileHeld = await valuesOf(control)
  const released = await fault.release()
  await sent
  await control.clearFaults()
  return { while_held: whileHeld, released, faults: (await control.faults()).length }
}

async function meetTheClock(control, send) {
  const frozen = await control.freezeTime()
  const jumped = await control.jumpTime()
  const settings = { 'message.timestamp.type': 'LogAppendTime' }
  await control.call('create_topic', { name: 'dated', partitions: 1, settings })
  const [early] = await send('dated', 'early')
  await control.advanceTime(3_600_000)
  const [late] = await send('dated', 'late')
  await control.releaseTime()
  return {
    passed_ms: Number(late.logAppendTime) - Number(early.logAppendTime),
    is_frozen: [frozen.is_frozen, (await control.time()).is_frozen],
    jumped: jumped.is_frozen && jumped.now_ms >= frozen.now_ms,
  }
}

async function meetAKilledNode(control, send) {
  const { partitions: [{ leader: killed }] } = await control.call('topic', { name: 'orders' })
  await control.killNode(killed)
  await send('orders', 'by another leader')
  const found = {
    killed,
    not_ready: (await control.ready()).not_running,
    not_running: (await control.nodes()).filter(node => !node.is_running).map(node => node.node_id),
    values: await valuesOf(control),
    unfired: (await control.unfiredFaults()).length,
  }
  await control.startNode(killed)
  await control.waitUntilReady(SOON)
  const added = await control.addNode('east')
  const racks = (await control.nodes()).filter(node => node.node_id === added).map(node => node.rack)
  await control.removeNode(added)
  return { ...found, added, racks, nodes: (await control.nodes()).length }
}

async function main(bootstrap, url, token) {
  const control = new KafkapyControl(url, token)
  await control.waitUntilReady(SOON)
  assert(await control.live())
  await control.reset()
  const producer = new Kafka({
    clientId: 'driven',
    brokers: bootstrap.split(','),
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 20, maxRetryTime: 200, retries: 100 },
  }).producer()
  await producer.connect()
  const send = (topic, value) => producer.send({ topic, messages: [{ value, partition: 0 }] })
  let found = await meetRefusals(control, url)
  for (const meet of [meetAnError, meetABarrier, meetTheClock, meetAKilledNode]) {
    found = { ...found, ...(await meet(control, send)) }
  }
  console.log(JSON.stringify(found))
  await producer.disconnect()
}

main(...process.argv.slice(2)).catch(error => {
  console.error(error)
  process.exit(1)
})
