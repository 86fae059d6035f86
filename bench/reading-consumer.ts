import { randomInt } from 'node:crypto'
import { subscribe } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import {
  createReader,
  type ReaderOptions,
  SealedConsumer,
  type SealedMessage,
} from '../src/index.ts'
import type { READING_WAYS } from './reading.ts'

/** A way in which messages are read. */
export type ReadingWay = (typeof READING_WAYS)[number]

/** What the reading process is told. */
export interface ReadingOrder {
  readonly way: ReadingWay
  readonly brokers: readonly string[]
  readonly topic: string
  readonly messages: number
  readonly reader: ReaderOptions
  /** Opens a second, of points alone. */
  readonly perSecond: number
  readonly seconds: number
}

/** What it answers. */
export interface ReadingAnswer {
  readonly messages: number
  readonly elapsedMs: number
  readonly cpuUs: number
  readonly gets: number
  /** Of points alone, from the time at which each was due; sorted. */
  readonly latenciesMs: readonly number[]
}

const MIB = 1024 * 1024
/** In which the program is compiled and the keys are fetched. */
const UNMEASURED_SECONDS = 10

let gets = 0
subscribe('http.client.request.start', (event) => {
  const { request } = event as { request: { method: string } }
  if (request.method === 'GET') gets++
})

/** Reads by one way, in a process that does nothing else and has the kafkajs that users have. */
async function read(order: ReadingOrder): Promise<ReadingAnswer> {
  const reader = createReader(order.reader)
  try {
    if (order.way === 'points') return await points(order, reader)
    if (order.way === 'open-many') return await openMany(order, reader)
    return await consume(order, reader)
  } finally {
    await reader.close()
  }
}

type Reader = ReturnType<typeof createReader>

function kafkaOf({ brokers }: ReadingOrder): Kafka {
  return new Kafka({ clientId: 'bench', brokers: [...brokers], logLevel: logLevel.ERROR })
}

/** Time and CPU from the first message to the last. */
class Watch {
  #startedAtMs = 0
  #cpu = process.cpuUsage()
  #gets = 0
  messages = 0

  start(): void {
    this.#startedAtMs = performance.now()
    this.#cpu = process.cpuUsage()
    this.#gets = gets
  }

  take(count: number): void {
    if (this.#startedAtMs === 0) this.start()
    this.messages += count
  }

  answer(latenciesMs: readonly number[] = []): ReadingAnswer {
    const { user, system } = process.cpuUsage(this.#cpu)
    const elapsedMs = performance.now() - this.#startedAtMs
    const figures = { messages: this.messages, elapsedMs, cpuUs: user + system }
    return { ...figures, gets: gets - this.#gets, latenciesMs }
  }
}

async function consume(order: ReadingOrder, reader: Reader): Promise<ReadingAnswer> {
  const groupId = `bench-${process.pid}`
  const kafka = kafkaOf(order)
  const consumer = new SealedConsumer({ kafka, groupId, maxBytesPerPartition: 4 * MIB }, { reader })
  const watch = new Watch()
  const done = Promise.withResolvers<ReadingAnswer>()
  const took = (messages: readonly SealedMessage[]) => {
    watch.take(messages.length)
    if (watch.messages >= order.messages) done.resolve(watch.answer())
  }
  await consumer.connect()
  await consumer.subscribe({ topics: [order.topic], fromBeginning: true })
  consumer.ended.catch(done.reject)
  await consumer.run(
    order.way === 'each-message'
      ? { eachMessage: async ({ message }) => took([message]) }
      : { eachBatch: async ({ batch }) => took(batch.messages) },
  )
  const answer = await done.promise
  await consumer.disconnect()
  return answer
}

/** The references of a topic, into memory: what is measured then is opening alone. */
async function referencesOf(order: ReadingOrder): Promise<Buffer[]> {
  const consumer = kafkaOf(order).consumer({ groupId: `bench-${process.pid}` })
  const byPartition = new Map<number, Buffer[]>()
  let count = 0
  const done = Promise.withResolvers<void>()
  await consumer.connect()
  await consumer.subscribe({ topics: [order.topic], fromBeginning: true })
  await consumer.run({
    eachBatch: async ({ batch: { partition, messages } }) => {
      const values = byPartition.get(partition) ?? []
      byPartition.set(partition, values)
      for (const { value } of messages) values.push(value as Buffer)
      count += messages.length
      if (count >= order.messages) done.resolve()
    },
  })
  await done.promise
  await consumer.disconnect()
  return [...byPartition.values()].flat()
}

async function openMany(order: ReadingOrder, reader: Reader): Promise<ReadingAnswer> {
  const references = await referencesOf(order)
  const watch = new Watch()
  for await (const _message of reader.openMany(references)) watch.take(1)
  return watch.answer()
}

/**
 * An open loop: every opening is due at its time, however long those before it take. A spell at the same
 * rate comes before, unmeasured: a process that reads by the point does so for hours.
 */
async function points(order: ReadingOrder, reader: Reader): Promise<ReadingAnswer> {
  const references = await referencesOf(order)
  const one = () => reader.openReference(references[randomInt(references.length)] as Buffer)
  await openLoop(order.perSecond, UNMEASURED_SECONDS, one)
  const watch = new Watch()
  watch.start()
  const latenciesMs = await openLoop(order.perSecond, order.seconds, one)
  watch.take(latenciesMs.length)
  return watch.answer(latenciesMs.sort((a, b) => a - b))
}

/** How long each call took from when it was due, in milliseconds. */
async function openLoop(
  perSecond: number,
  seconds: number,
  call: () => Promise<unknown>,
): Promise<number[]> {
  const latenciesMs: number[] = []
  const startedAtMs = performance.now()
  const calls: Promise<void>[] = []
  for (let i = 0; i < perSecond * seconds; i++) {
    const dueMs = startedAtMs + (i * 1_000) / perSecond
    const earlyMs = dueMs - performance.now()
    if (earlyMs > 0) await sleep(earlyMs)
    calls.push(call().then(() => void latenciesMs.push(performance.now() - dueMs)))
  }
  await Promise.all(calls)
  return latenciesMs
}

const order = JSON.parse(readFileSync(process.argv[2] as string, 'utf8')) as ReadingOrder
process.stdout.write(JSON.stringify(await read(order)))
