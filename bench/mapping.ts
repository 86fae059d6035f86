import type { StackEndpoints } from '../docker/stack/stack.ts'
import { cpuSecondsOf } from '../examples/demo/cpu-time.ts'
import { type CassandraConnection, connectCassandra } from '../src/adapters/cassandra/connection.ts'
import { CassandraMappingReader } from '../src/adapters/cassandra/mapping-reader.ts'
import { CassandraMappingWriter } from '../src/adapters/cassandra/mapping-writer.ts'
import { migrate } from '../src/adapters/cassandra/schema.ts'
import { systemClock } from '../src/clock.ts'
import { forEachOf } from '../src/for-each-of.ts'
import type { MappingMode } from '../src/mapping/mapping-store.ts'
import { withBenchStack } from './bench-stack.ts'
import { flushTables, tableBytes } from './mapping-disk.ts'
import { type MappedPart, mappedParts } from './mapping-parts.ts'
import { type Cost, costOf } from './measure.ts'

/** One way to write the mapping, a message each: CPU microseconds of either side, and bytes on disk. */
export interface MappingRow {
  readonly mode: MappingMode
  /** Messages of one source before those of the next. */
  readonly stretch: number
  readonly messages: number
  readonly writeClient: Cost
  /** Until everything is written out of memory. */
  readonly writeServer: Cost
  readonly readClient: Cost
  readonly readServer: Cost
  readonly diskBytes: Cost
}

type Measure = keyof Omit<MappingRow, 'mode' | 'stretch' | 'messages'>

interface Arm {
  readonly mode: MappingMode
  readonly stretch: number
  readonly parts: readonly MappedPart[]
  readonly messages: number
  readonly found: Readonly<Record<Measure, number[]>>
}

const KEYSPACE = 'bench'
const TABLES = { rows: 'message_encryption_map', runs: 'message_runs' } as const
/** As many as a process with two threads works on. */
const PARTS_AT_ONCE = 4
const FETCHED_TOGETHER = 100
/** So much less does a packed message cost that more of them are needed to see it. */
const RUNS_FACTOR = 5

/** Writes and reads the mapping of made-up segments in both modes, on a Cassandra of its own. */
export async function mapping(rowsMessages: number, repeats: number): Promise<MappingRow[]> {
  return withBenchStack(async (stack) => {
    const options = { ...stack.cassandra, keyspace: KEYSPACE, requestTimeoutMs: 30_000 }
    await migrate(options, { replicationFactor: 1, createSchema: true })
    const connection = await connectCassandra(options)
    const arms = [
      armOf('rows', FETCHED_TOGETHER, rowsMessages),
      armOf('runs', FETCHED_TOGETHER, rowsMessages * RUNS_FACTOR),
      armOf('runs', 1, rowsMessages * RUNS_FACTOR),
    ]
    // The first turn is unmeasured: compilers of both sides have to warm up.
    for (let turn = -1; turn < repeats; turn++) {
      process.stderr.write(turn < 0 ? 'warming up\n' : `repeat ${turn + 1} of ${repeats}\n`)
      for (const arm of arms) await measure(arm, turn >= 0, connection, stack)
    }
    await connection.close()
    return arms.map(rowOf)
  })
}

function armOf(mode: MappingMode, stretch: number, messages: number): Arm {
  const found = {
    ...{ writeClient: [], writeServer: [], readClient: [], readServer: [] },
    diskBytes: [],
  }
  return { mode, stretch, parts: mappedParts(messages, stretch), messages, found }
}

function rowOf({ mode, stretch, messages, found }: Arm): MappingRow {
  const costs = Object.entries(found).map(([name, values]) => [name, costOf(values)])
  return { mode, stretch, messages, ...(Object.fromEntries(costs) as Record<Measure, Cost>) }
}

async function measure(
  { mode, parts, messages, found }: Arm,
  isKept: boolean,
  connection: CassandraConnection,
  { directory, processes }: StackEndpoints,
): Promise<void> {
  const keep = (name: Measure, value: number) => {
    if (isKept) found[name].push(value / messages)
  }
  const server = () => (cpuSecondsOf({ cassandra: processes.cassandra })?.cassandra ?? 0) * 1e6
  const client = () => {
    const { user, system } = process.cpuUsage()
    return user + system
  }
  await connection.execute(`TRUNCATE ${TABLES[mode]}`, [])
  let [beforeServer, beforeClient] = [server(), client()]
  const writer = new CassandraMappingWriter(connection, systemClock, mode)
  await forEachOf(parts, PARTS_AT_ONCE, (part) => writer.writeRows(part, 'bench/x', part.frames))
  keep('writeClient', client() - beforeClient)
  await flushTables(directory, KEYSPACE)
  keep('writeServer', server() - beforeServer)
  keep('diskBytes', tableBytes(directory, KEYSPACE).get(TABLES[mode]) ?? 0)

  ;[beforeServer, beforeClient] = [server(), client()]
  const count = await readAll(new CassandraMappingReader(connection), parts)
  keep('readClient', client() - beforeClient)
  keep('readServer', server() - beforeServer)
  if (count !== messages) throw new Error(`${count} of ${messages} messages came back`)
}

async function readAll(reader: CassandraMappingReader, parts: readonly MappedPart[]) {
  const segments = new Map(parts.map(({ dekId, segmentId }) => [segmentId, dekId]))
  let count = 0
  for (const [segmentId, rowsDekId] of segments) {
    for await (const frames of reader.framesOfSegment({ segmentId, rowsDekId })) {
      count += frames.count
    }
  }
  return count
}

/** The arms as a table for a terminal. */
export function renderMapping(rows: readonly MappingRow[]): string {
  const cell = ({ medianUs, minUs, maxUs }: Cost) =>
    `${medianUs.toFixed(2)} (${minUs.toFixed(2)} to ${maxUs.toFixed(2)})`.padStart(24)
  const heads = ['write client, us', 'write server, us', 'read client, us', 'read server, us']
  const title = `${'mode'.padEnd(22)}${[...heads, 'disk, bytes'].map((head) => head.padStart(24)).join('')}`
  const lines = rows.map((row) => {
    const name = `${row.mode}, ${row.stretch === 1 ? 'sources in turns' : `by ${row.stretch}`}`
    const costs = [row.writeClient, row.writeServer, row.readClient, row.readServer, row.diskBytes]
    return `${name.padEnd(22)}${costs.map(cell).join('')}`
  })
  return `${[title, ...lines].join('\n')}\n`
}
