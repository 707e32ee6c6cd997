// A client of kafkapy's control API for Node 18 or newer: copy this file into your tests. It needs no package.
//
//   const { KafkapyControl } = require('./kafkapy-control.cjs')      // or: import { KafkapyControl } from ...
//
//   const control = new KafkapyControl('http://127.0.0.1:9090')
//   const fault = await control.addFault({ api: 'Produce', topic: 'orders', error: 'NOT_LEADER_OR_FOLLOWER', times: 1 })
//   ...                                                              // what you test produces to orders
//   await fault.wait({ fired: 1 })
//   await control.reset()
//
// Every operation of docs/control-api.md is `control.call(name, arguments)`; the methods are the same with less to write.

'use strict'

const ANSWER_SECONDS = 60 // how much longer than the operation itself may wait its answer is waited for
const LOOK_AGAIN_MS = 20

/** The API has refused something: `status`, `kind` and `message` always, the others where the answer has them. */
class ControlError extends Error {
  constructor(status, error) {
    super(error.message)
    this.name = new.target.name
    this.status = status
    this.kind = error.kind
    this.field = error.field ?? null // the argument that is wrong
    this.reason = error.reason ?? null // what is wrong with it
    this.nearest = error.nearest ?? null // what was probably meant
    this.code = error.code ?? null // Kafka's error code
  }
}

/** 400: an argument is wrong, see `field`, `reason` and `nearest`. Nothing was done. */
class InvalidArgument extends ControlError {}
/** 401 or 403: the token is missing or wrong, or the API does not answer to that name. */
class NotAuthorized extends ControlError {}
/** 404: there is no such operation, topic, group, node. */
class NotFound extends ControlError {}
/** 409: Kafka refuses it; `kind` is the name of its error and `code` its number. */
class RefusedByKafka extends ControlError {}
/** 504: what was waited for has not come in time; the message says what there was instead. */
class NotYet extends ControlError {}

const ERRORS = {
  400: InvalidArgument, 401: NotAuthorized, 403: NotAuthorized, 404: NotFound, 409: RefusedByKafka, 504: NotYet,
}

class KafkapyControl {
  #url
  #headers

  /** `url` is printed by kafkapy when it starts; `token` is the value of its KAFKAPY_CONTROL_TOKEN. */
  constructor(url = 'http://127.0.0.1:9090', token = null) {
    this.#url = url.replace(/\/+$/, '')
    this.#headers = token === null ? {} : { Authorization: `Bearer ${token}` }
  }

  /** The result of an operation. Rejects with a ControlError, or with what `fetch` rejects with if nobody answers. */
  async call(operation, args = {}) {
    const response = await fetch(`${this.#url}/v1/${operation}`, {
      method: 'POST',
      headers: { ...this.#headers, 'Content-Type': 'application/json' },
      body: JSON.stringify(args),
      signal: AbortSignal.timeout(((args.timeout ?? 10) + ANSWER_SECONDS) * 1000),
    })
    return answerOf(response)
  }

  // -- health

  /** Whether the process runs. */
  async live() {
    try {
      const response = await fetch(`${this.#url}/live`, { signal: AbortSignal.timeout(ANSWER_SECONDS * 1000) })
      await response.arrayBuffer()
      return response.ok
    } catch {
      return false // nobody listens there
    }
  }

  /** Whether all nodes serve, as `{ ready, not_running: [node ids] }`. */
  async ready() {
    const response = await fetch(`${this.#url}/ready`, { signal: AbortSignal.timeout(ANSWER_SECONDS * 1000) })
    return response.status === 503 ? response.json() : answerOf(response)
  }

  /** Returns when all nodes serve. Rejects with an Error if they do not within `seconds`. */
  async waitUntilReady(seconds = 30) {
    const end = Date.now() + seconds * 1000
    for (let last = null; ; ) {
      try {
        last = await this.ready()
        if (last.ready) return
      } catch (error) {
        last = String(error.cause ?? error) // it is not there yet
      }
      if (Date.now() > end) throw new Error(`${this.#url} is not ready after ${seconds} s: ${JSON.stringify(last)}`)
      await new Promise(resolve => setTimeout(resolve, LOOK_AGAIN_MS))
    }
  }

  // -- faults: docs/faults.md has the fields of rules

  /** Adds one fault. */
  async addFault(rule) {
    return (await this.addFaults(rule))[0]
  }

  /** Adds faults: all of them, or none if one rule is wrong (InvalidArgument). */
  async addFaults(...rules) {
    const added = await this.call('add_faults', { rules })
    return added.map(({ fault_id }) => new Fault(this, fault_id))
  }

  /** The faults in force, as plain objects. */
  faults() {
    return this.call('faults')
  }

  /** Those with `must_fire` that never fired: a test should end with an empty list. */
  unfiredFaults() {
    return this.call('unfired_faults')
  }

  clearFaults() {
    return this.call('clear_faults')
  }

  // -- the brokers' clock; each returns `{ now_ms, is_frozen, next_timer_ms }`

  time() {
    return this.call('time')
  }

  freezeTime() {
    return this.call('freeze_time')
  }

  advanceTime(milliseconds) {
    return this.call('advance_time', { milliseconds })
  }

  /** Moves time to the next timer, which fires. */
  jumpTime() {
    return this.call('jump_time')
  }

  releaseTime() {
    return this.call('release_time')
  }

  // -- nodes, state

  nodes() {
    return this.call('nodes')
  }

  killNode(node_id) {
    return this.call('kill_node', { node_id })
  }

  stopNode(node_id) {
    return this.call('stop_node', { node_id })
  }

  startNode(node_id) {
    return this.call('start_node', { node_id })
  }

  /** Starts another broker; its id. */
  addNode(rack = null) {
    return this.call('add_node', { rack })
  }

  /** Moves the replicas of a broker that is no controller to others, stops it and forgets it. */
  removeNode(node_id) {
    return this.call('remove_node', { node_id })
  }

  /** A fresh state, as before each test: no topics, groups and faults, all nodes run, the clock shows the time. */
  reset() {
    return this.call('reset')
  }

  // -- events

  /**
   * What clients ask and are answered from now on: `for await (const { event, data } of await control.events()) ...`.
   * `event` is 'exchange', with an object as in docs/recording.md, or 'missed', with the number of exchanges that came
   * faster than they were read. It ends when the loop is left.
   */
  async events() {
    const leave = new AbortController()
    const response = await fetch(`${this.#url}/events`, { headers: this.#headers, signal: leave.signal })
    if (!response.ok) await answerOf(response)
    const lines = linesOf(response.body)
    await lines.next() // the server greets once it listens to its brokers: nothing is missed from here on
    return eventsOf(lines, leave)
  }
}

/** A fault that was added. */
class Fault {
  #control

  constructor(control, id) {
    this.#control = control
    this.id = id
  }

  /** `{ rule, matched, fired, held, is_spent }` */
  read() {
    return this.#control.call('fault', { fault_id: this.id })
  }

  /** Until it has fired so often and holds so many requests; rejects with NotYet after `timeout` seconds. */
  wait({ fired = 1, held = 0, timeout = 10 } = {}) {
    return this.#control.call('wait_for_fault', { fault_id: this.id, fired, held, timeout })
  }

  /** Lets requests that it holds go on: all, and later ones, without a count. Returns how many. */
  release(count = null) {
    return this.#control.call('release_fault', { fault_id: this.id, count })
  }

  remove() {
    return this.#control.call('remove_fault', { fault_id: this.id })
  }
}

/** The bytes of a key, value or header: a text if they are UTF-8, else `{ base64 }`. */
function bytesOf(value) {
  if (value === null) return null
  return typeof value === 'string' ? Buffer.from(value) : Buffer.from(value.base64, 'base64')
}

async function answerOf(response) {
  const text = await response.text()
  let answer
  try {
    answer = JSON.parse(text)
  } catch {
    answer = { error: { kind: 'NoControlApi', message: `HTTP ${response.status} without JSON: ${text.slice(0, 200)}` } }
  }
  if (response.ok && answer?.error?.kind !== 'NoControlApi') return answer
  throw new (ERRORS[response.status] ?? ControlError)(response.status, answer.error)
}

async function* linesOf(body) {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of body) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = parts.pop()
    yield* parts
  }
}

async function* eventsOf(lines, leave) {
  let event = null
  try {
    for await (const line of lines) {
      if (line.startsWith('event: ')) event = line.slice(7)
      else if (line.startsWith('data: ')) yield { event, data: JSON.parse(line.slice(6)) }
      // Empty lines end an event, those that begin with ":" keep the connection alive, and "id" is in the data.
    }
  } finally {
    leave.abort()
  }
}

module.exports = {
  KafkapyControl, Fault, ControlError, InvalidArgument, NotAuthorized, NotFound, RefusedByKafka, NotYet, bytesOf,
}
