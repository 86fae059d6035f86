import { workerData } from 'node:worker_threads'
import { move, transferableSymbol, valueSymbol } from 'piscina'
import { connectCassandra } from '../src/adapters/cassandra/connection.ts'
import { CassandraMappingWriter } from '../src/adapters/cassandra/mapping-writer.ts'
import { type PartMessage, partTaskOf } from '../src/adapters/piscina/part-message.ts'
import type { PartWorkerData } from '../src/adapters/piscina/part-pool.ts'
import { S3ObjectStore } from '../src/adapters/s3/s3-object-store.ts'
import { systemClock } from '../src/clock.ts'
import { type EngineChoice, selectEngine } from '../src/crypto/cipher-engine.ts'
import { isSealError, toPlainError } from '../src/errors.ts'
import { armFailpoint, withFailpoints } from '../src/failpoints.ts'
import type { PartResult } from '../src/pipeline/part-task.ts'
import { type PartServices, workPart } from '../src/pipeline/part-worker.ts'

/** The composition root of one worker thread: connections of its own, kept for all its parts. */
const { s3, cassandra, mappingMode, cipherEngine, messageIdHeader, referencePer } =
  workerData as PartWorkerData
const idHeader =
  messageIdHeader === undefined ? {} : { messageIdHeader: Buffer.from(messageIdHeader) }
armFailpoint(process.env)
const store = withFailpoints(new S3ObjectStore(s3), {
  put: 'object-put',
  uploadPart: 'part-upload',
})
let writer: Promise<PartServices['mapping']> | null = null
let selected: Promise<EngineChoice> | null = null

/** The Piscina task: works one part. Owns the message's buffer until it answers. */
export default async function part(message: PartMessage): Promise<PartResult> {
  try {
    // Named, not `auto`: a thread that could not do as the main thread did must say so.
    selected ??= selectEngine(cipherEngine)
    const { engine } = await selected
    const mapping = await connected()
    const services = { engine, store, mapping, referencePer, ...idHeader }
    return handOver(await workPart(partTaskOf(message), services))
  } catch (error) {
    if (!isSealError(error)) throw error
    const plain = toPlainError(error, error.code)
    const { progress, buffer } = message
    return handOver({ ok: false, error: plain, progress, buffer })
  }
}

/** The session of this thread reconnects by itself; only a failed connect is tried anew. */
function connected() {
  writer ??= connect().catch((error: unknown) => {
    writer = null
    throw error
  })
  return writer
}

async function connect() {
  const session = await connectCassandra(cassandra)
  const mapping = new CassandraMappingWriter(session, systemClock, mappingMode)
  return withFailpoints(mapping, { recordPlaces: 'places', writeRows: 'rows' })
}

/** Large buffers change hands instead of being copied. */
function handOver(result: PartResult): PartResult {
  const runs = result.ok ? result.references : []
  const buffers = [result.buffer, ...runs.map(({ bytes }) => bytes.buffer)]
  return move({ [transferableSymbol]: buffers, [valueSymbol]: result }) as unknown as PartResult
}
