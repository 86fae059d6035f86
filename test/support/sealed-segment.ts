import { randomUUID } from 'node:crypto'
import { nodeEngine } from '../../src/crypto/cipher-engine.ts'
import { footerTag } from '../../src/crypto/footer-tag.ts'
import type { NewSegmentKeys } from '../../src/crypto/segment-keys.ts'
import type { Message } from '../../src/format/message.ts'
import { parcelBytes } from '../../src/format/parcel.ts'
import { parseReference, type Reference } from '../../src/format/reference-value.ts'
import { FooterBuilder, joinFooter } from '../../src/format/segment-footer.ts'
import { encodeMetadata } from '../../src/format/segment-metadata.ts'
import { createDek } from '../../src/keys/create-dek.ts'
import type { Dek } from '../../src/keys/dek.ts'
import type { DekRecord } from '../../src/keys/key-store.ts'
import type { Kms } from '../../src/keys/kms.ts'
import type { FrameColumns, MessageIds } from '../../src/mapping/mapping-store.ts'
import type { PartTask, ReferenceRun, Source } from '../../src/pipeline/part-task.ts'
import { type PartServices, workPart } from '../../src/pipeline/part-worker.ts'
import { BufferPool } from '../../src/segment/buffer-pool.ts'
import { segmentObjectKey } from '../../src/segment/object-key.ts'
import { frameBytesOf, PartBuffer } from '../../src/segment/part-buffer.ts'
import { ManualClock } from './manual-clock.ts'
import { MemoryKeyEventLog } from './memory-key-event-log.ts'
import type { MemoryObjectStore } from './memory-object-store.ts'
import { valuesOf } from './record-runs.ts'

export const KEK_ID = '5ea15eed-0000-4000-8000-00000000000a'
export const CLUSTER_ID = 'cluster-a'
export const CREATED_AT_MS = Date.UTC(2026, 0, 2, 3, 4, 5)

type PartMapping = PartServices['mapping']

/** Remembers the rows of every call. */
export class RecordingMapping implements PartMapping {
  readonly rows: FrameColumns[] = []
  readonly places: FrameColumns[] = []
  readonly ids: MessageIds[] = []
  /** Thrown by the calls to come, one each. */
  readonly failures: Error[] = []

  async recordPlaces(_segment: unknown, frames: FrameColumns): Promise<void> {
    this.places.push(frames)
  }

  async recordMessageIds(_: unknown, _frames: FrameColumns, ids: MessageIds): Promise<void> {
    this.ids.push(ids)
  }

  async writeRows(_segment: unknown, _objectKey: string, frames: FrameColumns): Promise<void> {
    const failure = this.failures.shift()
    if (failure !== undefined) throw failure
    this.rows.push(frames)
  }
}

/** A DEK whose record is kept in `records`. */
export function makeDek(kms: Kms, keyDomain = 'orders', records: DekRecord[] = []): Promise<Dek> {
  const keyStore = { recordDek: async (record: DekRecord) => void records.push(record) }
  const maker = { kms, keyStore, events: new MemoryKeyEventLog(), actor: 'encryptor test' }
  return createDek({ ...maker, kekOf: () => KEK_ID, clock: new ManualClock() }, keyDomain)
}

export interface PreparedSegment {
  readonly segmentId: string
  readonly objectKey: string
  readonly keys: NewSegmentKeys
  readonly metadata: Record<string, string>
  readonly task: PartTask
}

/** Packs messages into the only part of a segment, footer and all, ready for its worker. */
export function prepareSegment(
  dek: Dek,
  messages: readonly Message[],
  createdAtMs = CREATED_AT_MS,
): PreparedSegment {
  const segmentId = randomUUID()
  const { wrapped, kekId, keyDomain } = dek.record
  const objectKey = segmentObjectKey({ prefix: 'sealed' }, keyDomain, segmentId, createdAtMs)
  const keys = dek.newSegment(segmentId, createdAtMs)
  const { header, frameKey, baseNonce } = keys
  const metadata = encodeMetadata({
    ...{ header, wrapped, kekId, keyDomain, clusterId: CLUSTER_ID, token: randomUUID() },
  })
  const sources: Source[] = []
  const part = new PartBuffer(header, 8 * 1024 * 1024, new BufferPool(0))
  const footer = new FooterBuilder()
  messages.forEach((message, seq) => {
    const frameBytes = frameBytesOf(parcelBytes(message))
    const source = sourceIndex(sources, message)
    part.append(message, frameBytes, seq, source)
    footer.add(frameBytes, seq, source, message.offset)
  })
  const indexed = sources.map((source) => ({ clusterId: CLUSTER_ID, ...source }))
  const covered = footer.covered(indexed, part.size)
  part.end(joinFooter(covered, footerTag(keys.footerKey, header, covered)))
  const { dekId } = dek.record
  const segment = {
    dekId,
    segmentId,
    createdAtMs: CREATED_AT_MS,
    objectKey,
    clusterId: CLUSTER_ID,
    frameKey,
    baseNonce,
    sources,
  }
  const task: PartTask = {
    ...part.take(),
    segment,
    position: 0,
    upload: { kind: 'whole-object', metadata },
    progress: { sealed: false, uploaded: false, receipt: null, mapped: false },
  }
  return { segmentId, objectKey, keys, metadata, task }
}

export interface SealedSegment extends PreparedSegment {
  /** The object as stored. */
  readonly bytes: Buffer
  readonly references: readonly Reference[]
  readonly rows: FrameColumns
}

/** Seals messages into a segment of one part and stores it. */
export async function sealSegment(
  dek: Dek,
  store: MemoryObjectStore,
  messages: readonly Message[],
  createdAtMs = CREATED_AT_MS,
): Promise<SealedSegment> {
  const prepared = prepareSegment(dek, messages, createdAtMs)
  const mapping = new RecordingMapping()
  const result = await workPart(prepared.task, {
    engine: nodeEngine,
    store,
    mapping,
    referencePer: 'message',
  })
  if (!result.ok) throw new Error(result.error.message)
  const bytes = store.objects.get(prepared.objectKey)?.bytes as Buffer
  const references = referenceTexts(result.references).map(parseReference)
  return { ...prepared, bytes, references, rows: mapping.rows[0] as FrameColumns }
}

/** Reference values as texts, source by source. */
export function referenceTexts(runs: readonly ReferenceRun[]): string[] {
  return valuesOf(runs).map(String)
}

function sourceIndex(sources: Source[], { topic, partition }: Message): number {
  const index = sources.findIndex((at) => at.topic === topic && at.partition === partition)
  return index >= 0 ? index : sources.push({ topic, partition }) - 1
}
