import { workerData } from 'node:worker_threads'
import { move, transferableSymbol, valueSymbol } from 'piscina'
import { type CassandraConnection, connectCassandra } from '../src/adapters/cassandra/connection.ts'
import { CassandraMappingWriter } from '../src/adapters/cassandra/mapping-writer.ts'
import { type PartMessage, partTaskOf } from '../src/adapters/piscina/part-message.ts'
import type { PartWorkerData } from '../src/adapters/piscina/part-pool.ts'
import { S3ObjectStore } from '../src/adapters/s3/s3-object-store.ts'
import { systemClock } from '../src/clock.ts'
import { type EngineChoice, selectEngine } from '../src/crypto/cipher-engine.ts'
import { isSealError, toPlainError } from '../src/errors.ts'
import { armFailpoint, withFailpoints } from '../src/failpoints.ts'
import type { PartResult } from '../src/pipeline/part-task.ts'
import { workPart } from '../src/pipeline/part-worker.ts'

/** The composition root of one worker thread: connections of its own, kept for all its parts. */
const { s3, cassandra, mappingMode, cipherEngine } = workerData as PartWorkerData
armFailpoint(process.env)
const store = withFailpoints(new S3ObjectStore(s3), {
  put: 'object-put',
  uploadPart: 'part-upload',
})
let session: Promise<CassandraConnection> | null = null
let selected: Promise<EngineChoice> | null = null

/** The Piscina task: works one part. Owns the message's buffer until it answers. */
export default async function part(message: PartMessage): Promise<PartResult> {
  try {
    // Named, not `auto`: a thread that could not do as the main thread did must say so.
    selected ??= selectEngine(cipherEngine)
    const { engine } = await selected
    const writer = new CassandraMappingWriter(await connected(), systemClock, mappingMode)
    const mapping = withFailpoints(writer, { writeRows: 'rows' })
    return handOver(await workPart(partTaskOf(message), { engine, store, mapping }))
  } catch (error) {
    if (!isSealError(error)) throw error
    const plain = toPlainError(error, error.code)
    const { progress, buffer } = message
    return handOver({ ok: false, error: plain, progress, buffer })
  }
}

/** The session of this thread. It reconnects by itself; only a failed connect is tried anew. */
function connected(): Promise<CassandraConnection> {
  session ??= connectCassandra(cassandra).catch((error: unknown) => {
    session = null
    throw error
  })
  return session
}

/** Large buffers change hands instead of being copied. */
function handOver(result: PartResult): PartResult {
  const columns = result.ok
    ? [result.references.values, result.references.ends, result.references.source]
    : []
  const buffers = [result.buffer, ...columns.map((column) => column.buffer)]
  return move({ [transferableSymbol]: buffers, [valueSymbol]: result }) as unknown as PartResult
}
