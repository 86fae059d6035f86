import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { stackStatus } from '../docker/stack/stack.ts'
import { cpuMicrosPerMessage, cpuSecondsOf } from '../examples/demo/cpu-time.ts'
import { type CassandraConnection, connectCassandra } from '../src/adapters/cassandra/connection.ts'
import { CassandraDekStore } from '../src/adapters/cassandra/dek-store.ts'
import { CassandraLookUps } from '../src/adapters/cassandra/look-ups.ts'
import { CassandraMappingWriter } from '../src/adapters/cassandra/mapping-writer.ts'
import { migrate } from '../src/adapters/cassandra/schema.ts'
import { type ListFormat, listHead, listLines } from '../src/cli/list-lines.ts'
import { systemClock } from '../src/clock.ts'
import { impactOf, impactPages } from '../src/incident/impact.ts'
import type { ImpactReader, ImpactScope } from '../src/incident/impact-scope.ts'
import { withBenchStack } from './bench-stack.ts'

/** How the benchmark of look-ups is set. */
export interface ImpactBench {
  readonly messages: number
  readonly repeats: number
}

/** One answer, asked for again and again. */
export interface ImpactRow {
  readonly question: string
  /** Of the runs that were counted, the one in the middle. */
  readonly elapsedMs: number
  readonly messages: number
  /** CPU microseconds a message: of this process, and of Cassandra. */
  readonly cpuMicros: Readonly<Record<string, number>>
}

const TOPIC = 'orders'
const PARTITIONS = 25
const DEKS = 200
const SEGMENT_MESSAGES = 20_000
const FRAME_BYTES = 1_100
const KEK_ID = 'arn:aws:kms:eu-west-1:111122223333:key/bench'
const PREFIX = 'bench/segments/orders/2026/01/02/03'

/** Seals nothing, but writes what sealing would have written, then asks for it. */
export async function impact({ messages, repeats }: ImpactBench): Promise<ImpactRow[]> {
  return withBenchStack(async ({ cassandra }, directory) => {
    const options = { ...cassandra, keyspace: 'bench', requestTimeoutMs: 30_000 }
    await migrate(options, { replicationFactor: 1, createSchema: true })
    const session = await connectCassandra(options)
    try {
      process.stderr.write(`writing the rows of ${messages} messages\n`)
      await fill(session, messages)
      const { parts } = await stackStatus(directory)
      const pid = parts.find(({ part }) => part === 'cassandra')?.pid ?? 0
      return await rowsOf(new CassandraLookUps(session), pid, repeats)
    } finally {
      await session.close()
    }
  })
}

async function fill(session: CassandraConnection, messages: number): Promise<void> {
  const deks = Array.from({ length: DEKS }, () => randomUUID())
  const keys = new CassandraDekStore(session)
  const createdAtMs = Date.UTC(2026, 0, 2, 3)
  const dek = { keyDomain: TOPIC, kekId: KEK_ID, kekVersion: '1', createdAtMs }
  for (const dekId of deks) await keys.recordDek({ ...dek, dekId, wrapped: new Uint8Array(200) })
  const writer = new CassandraMappingWriter(session, systemClock, 'rows')
  for (let n = 0; n * SEGMENT_MESSAGES < messages; n++) {
    const count = Math.min(SEGMENT_MESSAGES, messages - n * SEGMENT_MESSAGES)
    await writeSegment(writer, deks[n % DEKS] as string, n * SEGMENT_MESSAGES, count, createdAtMs)
  }
}

/** Messages come from the partitions in turn, as fetches do. */
async function writeSegment(
  writer: CassandraMappingWriter,
  dekId: string,
  base: number,
  count: number,
  createdAtMs: number,
): Promise<void> {
  const segmentId = randomUUID()
  const segment = { dekId, segmentId, objectKey: `${PREFIX}/${segmentId}.seal`, createdAtMs }
  const sources = Array.from({ length: PARTITIONS }, (_, partition) => ({
    topic: TOPIC,
    partition,
  }))
  const run = Math.ceil(count / PARTITIONS)
  const frames = {
    ...{ count, sources },
    source: Uint16Array.from({ length: count }, (_, i) => Math.floor(i / run)),
    offset: Float64Array.from({ length: count }, (_, i) => base / PARTITIONS + (i % run)),
    position: Float64Array.from({ length: count }, (_, i) => 160 + i * FRAME_BYTES),
    length: new Uint32Array(count).fill(FRAME_BYTES),
  }
  await writer.recordIntent(segment)
  await writer.recordPlaces(segment, frames)
  await writer.writeRows(segment, segment.objectKey, frames)
  const totals = sources.map((source, index) => {
    const messageCount = Math.max(0, Math.min(run, count - index * run))
    const firstOffset = base / PARTITIONS
    const lastOffset = firstOffset + messageCount - 1
    return { ...source, firstOffset, lastOffset, messageCount, bytes: messageCount * FRAME_BYTES }
  })
  await writer.recordTotals(segment, totals)
  const bytes = count * FRAME_BYTES
  await writer.recordSealed({ ...segment, messageCount: count, bytes, sealedAtMs: createdAtMs })
  await writer.recordPublished(segment, createdAtMs)
}

async function rowsOf(reader: ImpactReader, pid: number, repeats: number): Promise<ImpactRow[]> {
  const kek = { kekId: KEK_ID }
  const count = async (scope: ImpactScope) => (await impactOf(reader, scope)).messages
  const list = (format: ListFormat) => () => listAll(reader, kek, format)
  const questions: readonly (readonly [string, () => Promise<number>])[] = [
    [`count a KEK with ${DEKS} DEKs`, () => count(kek)],
    ['count a topic', () => count({ topic: TOPIC })],
    ['list a KEK as NDJSON', list('ndjson')],
    ['list a KEK as CSV', list('csv')],
  ]
  const rows: ImpactRow[] = []
  for (const [question, ask] of questions) {
    process.stderr.write(`${question}\n`)
    rows.push(await measure(question, ask, pid, repeats))
  }
  return rows
}

/** To /dev/null, so that what is measured is the list and not a disk. */
async function listAll(
  reader: ImpactReader,
  scope: ImpactScope,
  format: ListFormat,
): Promise<number> {
  const output = createWriteStream('/dev/null')
  let messages = 0
  output.write(listHead(format))
  for await (const page of impactPages(reader, scope)) {
    const isFull = !output.write(listLines(format, page))
    messages += page.frames.count
    if (isFull) await once(output, 'drain')
  }
  await new Promise<void>((resolve) => output.end(() => resolve()))
  return messages
}

/** The first run warms compilers and caches up and is not counted. */
async function measure(
  question: string,
  ask: () => Promise<number>,
  pid: number,
  repeats: number,
): Promise<ImpactRow> {
  const cpu = () => {
    const { user, system } = process.cpuUsage()
    return { client: (user + system) / 1e6, ...cpuSecondsOf({ cassandra: pid }) }
  }
  await ask()
  const runs: ImpactRow[] = []
  for (let run = 0; run < repeats; run++) {
    const begin = cpu()
    const beganAtMs = performance.now()
    const messages = await ask()
    const elapsedMs = performance.now() - beganAtMs
    const cpuMicros = cpuMicrosPerMessage(begin, cpu(), messages) ?? {}
    runs.push({ question, elapsedMs, messages, cpuMicros })
  }
  runs.sort((a, b) => a.elapsedMs - b.elapsedMs)
  return runs[Math.floor(runs.length / 2)] as ImpactRow
}

/** The answers as a table for a terminal. */
export function renderImpactBench(rows: readonly ImpactRow[]): string {
  const cells = rows.map(({ question, messages, elapsedMs, cpuMicros }) => [
    question,
    String(messages),
    elapsedMs.toFixed(0),
    Math.round((messages / elapsedMs) * 1000).toString(),
    (cpuMicros.client ?? 0).toFixed(2),
    (cpuMicros.cassandra ?? 0).toFixed(2),
  ])
  const head = ['', 'messages', 'ms', 'messages/s', 'us client', 'us Cassandra']
  const line = (texts: readonly string[]) =>
    texts.map((text, i) => (i === 0 ? text.padEnd(30) : text.padStart(14))).join('')
  return `${[head, ...cells].map(line).join('\n')}\n`
}
