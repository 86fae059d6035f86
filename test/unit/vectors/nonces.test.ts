import { createHash, randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nodeEngine } from '../../../src/crypto/cipher-engine.ts'
import type { SegmentKeys } from '../../../src/crypto/segment-keys.ts'
import { SealError } from '../../../src/errors.ts'
import type { Message } from '../../../src/format/message.ts'
import { parcelBytes } from '../../../src/format/parcel.ts'
import type { Dek } from '../../../src/keys/dek.ts'
import { DekWindow } from '../../../src/keys/dek-window.ts'
import type { MappingWriter } from '../../../src/mapping/mapping-store.ts'
import type { PipelineObserver } from '../../../src/pipeline/observer.ts'
import type { PartRunner } from '../../../src/pipeline/part-task.ts'
import { workPart } from '../../../src/pipeline/part-worker.ts'
import { Patience } from '../../../src/pipeline/patience.ts'
import { SegmentWriter } from '../../../src/pipeline/segment-writer.ts'
import { BufferPool } from '../../../src/segment/buffer-pool.ts'
import { frameBytesOf } from '../../../src/segment/part-buffer.ts'
import { FakeKms } from '../../support/fake-kms.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { MemoryObjectStore } from '../../support/memory-object-store.ts'
import { messages } from '../../support/messages.ts'
import { CLUSTER_ID, CREATED_AT_MS, KEK_ID, makeDek } from '../../support/sealed-segment.ts'

const AWAY = () => new SealError('SEAL_STORE_UNAVAILABLE', 'away', { retryable: true })
const LIMITS = { bytesMax: 2 ** 30, messagesMax: 2 ** 20, partBytesMax: 8 * 1024 * 1024 }
const WINDOW = { ageMs: 60_000, messagesMax: 2 ** 20, bytesMax: 2 ** 30 }

/** Notes every (frame key, nonce) that seals, as a hash, and seals with the engine under it. */
class RecordingEngine {
  readonly pairs: string[] = []

  create = (keys: SegmentKeys) => {
    const cipher = nodeEngine.create(keys)
    const seal = cipher.seal.bind(cipher)
    cipher.seal = (part, frameAt, frameBytes, seq, aad) => {
      this.pairs.push(hashOf(keys, seq))
      seal(part, frameAt, frameBytes, seq, aad)
    }
    return cipher
  }
}

/** Base nonce XOR seq as docs/format.md has it, not as the product computes it. */
function hashOf({ frameKey, baseNonce }: SegmentKeys, seq: number): string {
  const nonce = BigInt(`0x${Buffer.from(baseNonce).toString('hex')}`) ^ BigInt(seq)
  return frameKey.reveal((key) => createHash('sha256').update(key).update(`${nonce}`).digest('hex'))
}

/** How one process treats its messages before it dies or is done. */
interface Run {
  /** Messages of each segment, in order; what is left over forms one more. */
  readonly sizes: readonly number[]
  /** The process dies after this many messages, with a segment of those it had so far. */
  readonly diesAfter: number
  /** Uploads that fail in a way that passes, so that their part is tried again. */
  readonly failures: number
  /** Whether the segments get the ids that they had in the run before. */
  readonly sameIds: boolean
}

const anyRun: fc.Arbitrary<Run> = fc.record({
  sizes: fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 6 }),
  diesAfter: fc.oneof(fc.nat(12), fc.constant(99)),
  failures: fc.nat(2),
  sameIds: fc.boolean(),
})

function writerOf(dek: Dek, segmentId: string, engine: RecordingEngine, failures: number) {
  const store = new MemoryObjectStore()
  store.failures.push(...Array.from({ length: failures }, AWAY))
  const clock = new ManualClock()
  const quiet = new Proxy({} as PipelineObserver, { get: () => () => {} })
  const mapping = new Proxy({} as MappingWriter, { get: () => async () => {} })
  const runner: PartRunner = {
    run: (task) => workPart(task, { engine, store, mapping, referencePer: 'message' }),
    close: async () => {},
  }
  const patience = new Patience(clock, quiet, new AbortController().signal)
  const around = { clock, hasSuccessor: () => false, onFirstUse: () => {} }
  const window = new DekWindow(dek.retain(), { soft: WINDOW, hard: WINDOW }, around)
  const plan = {
    ...{ segmentId, objectKey: `sealed/${segmentId}.seal`, clusterId: CLUSTER_ID },
    ...{ createdAtMs: CREATED_AT_MS, token: randomUUID(), window, limits: LIMITS },
  }
  return new SegmentWriter(plan, {
    store,
    mapping,
    runner,
    patience,
    observer: quiet,
    clock,
    buffers: new BufferPool(0),
    budget: { release: () => {} },
  })
}

function pack(writer: SegmentWriter, message: Message): void {
  const source = writer.sources.of(message)
  writer.add(message, source, frameBytesOf(parcelBytes(message)), 0)
}

/** Seals from the first message on, as a process does that finds nothing published. */
async function replay(dek: Dek, log: readonly Message[], run: Run, engine: RecordingEngine) {
  const ids = run.sameIds ? fixedIds() : freshIds()
  const sizes = [...run.sizes, log.length]
  let done = 0
  for (let i = 0; done < log.length && done < run.diesAfter; i++) {
    const writer = writerOf(dek, ids(i), engine, run.failures)
    const batch = log.slice(done, Math.min(done + (sizes[i] as number), run.diesAfter))
    for (const message of batch) pack(writer, message)
    done += batch.length
    await writer.finish()
  }
}

function fixedIds() {
  return (i: number) => `5ea15eed-0000-4000-8000-${String(i).padStart(12, '0')}`
}

function freshIds() {
  return () => randomUUID()
}

describe('whatever is replayed after whichever crash', () => {
  it('is sealed under a (key, nonce) pair that sealed nothing before', async () => {
    const dek = await makeDek(new FakeKms(KEK_ID))
    const log = messages(10)
    const engine = new RecordingEngine()
    const runs = fc.array(anyRun, { minLength: 2, maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(runs, async (history) => {
        for (const run of history) await replay(dek, log, run, engine)
        expect(new Set(engine.pairs).size).toBe(engine.pairs.length)
      }),
      { numRuns: 100 },
    )
    expect(engine.pairs.length).toBeGreaterThan(1_000)
  })

  it('comes out as other ciphertext, though message, segment and DEK are the same', async () => {
    const dek = await makeDek(new FakeKms(KEK_ID))
    const seal = async () => {
      const engine = new RecordingEngine()
      const run = { sizes: [], diesAfter: 99, failures: 0, sameIds: true }
      await replay(dek, messages(3), run, engine)
      return engine.pairs
    }
    const [first, second] = [await seal(), await seal()]
    expect(first.length).toBe(3)
    expect(first.filter((pair) => second.includes(pair))).toEqual([])
  })
})
