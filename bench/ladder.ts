import { randomBytes, randomUUID } from 'node:crypto'
import { BatchRecords } from '../src/adapters/kafka/record-decoder.ts'
import { type CipherEngine, selectEngine } from '../src/crypto/cipher-engine.ts'
import { SecretBytes } from '../src/crypto/secret-bytes.ts'
import { keysForNewSegment } from '../src/crypto/segment-keys.ts'
import type { Message } from '../src/format/message.ts'
import { parcelBytes } from '../src/format/parcel.ts'
import type { PartTask } from '../src/pipeline/part-task.ts'
import { workPart } from '../src/pipeline/part-worker.ts'
import { BufferPool } from '../src/segment/buffer-pool.ts'
import { frameBytesOf, PartBuffer } from '../src/segment/part-buffer.ts'
import { encodeRecord } from './kafka/records.ts'
import { measureInTurns, type Row } from './measure.ts'

const VALUE_BYTES = [100, 1024, 16 * 1024]
const PART_BYTES = 8 * 1024 * 1024
/** As the road keeps them: buffers come back from the stage that is last. */
const buffers = new BufferPool(4 * PART_BYTES)
const SOURCE = { topic: 'bench', partition: 0 }

/**
 * What the stages cost that run in this process, without any service: each row adds one stage to
 * the row above it.
 */
export async function ladder(repeats: number): Promise<Row[]> {
  const { engine } = await selectEngine('auto')
  const rows: Row[] = []
  for (const valueBytes of VALUE_BYTES) rows.push(...(await rungs(valueBytes, repeats, engine)))
  return rows
}

/** A part of frames of `messages`, packed as the road packs them. */
function pack(messages: readonly Message[], header: Uint8Array): PartBuffer {
  const part = new PartBuffer(header, PART_BYTES, buffers)
  messages.forEach((message, seq) => {
    part.append(message, frameBytesOf(parcelBytes(message)), seq, 0)
  })
  return part
}

/** The task of a packed part; what is sent and mapped goes nowhere. */
function taskOf(part: PartBuffer, keys: ReturnType<typeof newKeys>): PartTask {
  const { frameKey, baseNonce, segmentId, dekId } = keys
  const objectKey = `bench/segments/bench/${segmentId}.seal`
  const sources = [SOURCE]
  const clusterId = 'bench'
  return {
    ...part.take(),
    segment: {
      segmentId,
      dekId,
      createdAtMs: 0,
      objectKey,
      clusterId,
      frameKey,
      baseNonce,
      sources,
    },
    position: 0,
    upload: { kind: 'whole-object', metadata: {} },
    progress: { sealed: false, uploaded: true, receipt: null, mapped: true },
  }
}

function newKeys() {
  const segmentId = randomUUID()
  const dekId = randomUUID()
  const fields = {
    segmentId,
    dekId,
    generation: 1,
    createdAtMs: 0,
    kmsContextHash: randomBytes(32),
  }
  const dek = SecretBytes.takeFrom(randomBytes(32))
  return { segmentId, dekId, ...keysForNewSegment(dek, { ...fields, salt: randomBytes(32) }) }
}

async function rungs(valueBytes: number, repeats: number, engine: CipherEngine): Promise<Row[]> {
  const count = Math.floor((6 * 1024 * 1024) / (valueBytes + 64))
  const value = randomBytes(valueBytes)
  const records = Buffer.concat(
    Array.from({ length: count }, (_, i) => encodeRecord({ key: null, value, headers: [] }, i)),
  )
  const batch = {
    firstOffset: 0,
    lastOffset: count - 1,
    timestampMs: 1_795_429_950_685n,
    timestampType: 'create',
  } as const
  const decode = (): Message[] =>
    Array.from(new BatchRecords(records, count, batch), (message) => {
      message.topic = SOURCE.topic
      message.partition = SOURCE.partition
      return message
    })
  const keys = newKeys()
  const never = async () => {
    throw new Error('nothing is sent in this benchmark')
  }
  const services = {
    engine,
    referencePer: 'message',
    store: { put: never, uploadPart: never },
    mapping: { recordPlaces: never, writeRows: never, recordMessageIds: never },
  } as const
  const stages: [string, () => unknown][] = [
    ['decode', decode],
    ['+ pack', () => buffers.give(pack(decode(), keys.header).take().buffer)],
    [
      '+ seal, map columns, references',
      async () => {
        const task = taskOf(pack(decode(), keys.header), keys)
        buffers.give((await workPart(task, services)).buffer)
      },
    ],
  ]
  const works = stages.map(([, run]) => ({ run, messages: count }))
  const costs = await measureInTurns(works, repeats)
  return costs.map((cost, i) => ({ valueBytes, stage: stages[i]?.[0] as string, ...cost }))
}
