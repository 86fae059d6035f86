import type { CipherEngine } from '../crypto/cipher-engine.ts'
import { isSealError, toPlainError } from '../errors.ts'
import { FrameAad } from '../format/aad.ts'
import { readFrameHeader } from '../format/frame.ts'
import type { FrameColumns, MappingWriter, MessageIds } from '../mapping/mapping-store.ts'
import type { ObjectStore, PartReceipt } from '../segment/object-store.ts'
import { messageIdsOf } from './message-ids.ts'
import { type ReferencePer, renderReferences } from './part-references.ts'
import type { PartProgress, PartResult, PartTask } from './part-task.ts'

/** What a worker thread has of its own: connections and the cipher engine. */
export interface PartServices {
  readonly engine: Pick<CipherEngine, 'create'>
  readonly store: Pick<ObjectStore, 'put' | 'uploadPart'>
  readonly mapping: Pick<MappingWriter, 'recordPlaces' | 'writeRows' | 'recordMessageIds'>
  /** Name of the header with the id of a message; absent where ids are not to be found again. */
  readonly messageIdHeader?: Uint8Array
  readonly referencePer: ReferencePer
}

/**
 * The worker's half of the road: seals every frame of a part in place, notes which messages are in
 * it, writes its mapping rows and uploads it, and renders the references. On failure it tells which
 * steps are done, so that a second try neither seals twice nor sends again what arrived.
 */
export async function workPart(task: PartTask, services: PartServices): Promise<PartResult> {
  const part = Buffer.from(task.buffer, 0, task.size)
  const startedAtMs = performance.now()
  const frames = scanFrames(task, part)
  const ids = messageIds(task, part, frames, services)
  if (!task.progress.sealed) sealFrames(task, part, frames, services.engine)
  const sealMs = performance.now() - startedAtMs
  const { places, map, upload } = await mapThenUpload(task, {
    notePlaces: () => notePlaces(task, frames, services),
    mapRows: () => mapOnce(task, frames, services, ids.messageIds),
    upload: () => uploadOnce(task, part, services),
  })
  const failed = places.error ?? map.error ?? upload.error
  if (failed !== undefined) {
    return failure(task, failed, {
      ...ids,
      sealed: true,
      uploaded: upload.error === undefined,
      receipt: upload.value ?? null,
      mapped: map.error === undefined,
    })
  }
  return {
    ok: true,
    receipt: upload.value ?? null,
    references: renderReferences(task.segment, frames, services.referencePer),
    timings: {
      sealMs,
      uploadMs: upload.elapsedMs,
      mapMs: Math.max(places.elapsedMs, map.elapsedMs),
    },
    buffer: task.buffer,
  }
}

interface Steps {
  readonly notePlaces: () => Promise<void>
  readonly mapRows: () => Promise<void>
  readonly upload: () => Promise<PartReceipt | null>
}

/**
 * Maps a part and uploads it. Not a byte goes before its places are noted: what look-ups by source find
 * must never be less than what is there. And whatever object is there has all its rows, so that the index
 * never tells less than what a key protects, wherever a process dies. Parts of an upload become an object
 * only after all of them were mapped, so their rows go beside them; a whole object waits for its rows.
 */
async function mapThenUpload(
  { upload: { kind } }: PartTask,
  { notePlaces, mapRows, upload }: Steps,
) {
  const noting = timed(notePlaces)
  const mapping = timed(mapRows)
  const before = await Promise.all(kind === 'part' ? [noting] : [noting, mapping])
  const failed = before.find(({ error }) => error !== undefined)
  const uploaded = failed === undefined ? await timed(upload) : { ...failed, value: null }
  return { places: await noting, map: await mapping, upload: uploaded }
}

/** Walks the frame headers into columns. */
function scanFrames(task: PartTask, part: Buffer): FrameColumns {
  const count = task.frameCount
  const columns = {
    count,
    sources: task.segment.sources,
    source: new Uint16Array(count),
    offset: new Float64Array(count),
    position: new Float64Array(count),
    length: new Uint32Array(count),
  }
  let at = task.framesAt
  for (let i = 0; i < count; i++) {
    const header = readFrameHeader(part, at)
    columns.source[i] = header.source
    columns.offset[i] = header.offset
    columns.position[i] = task.position + at
    columns.length[i] = header.frameBytes
    at += header.frameBytes
  }
  return columns
}

function sealFrames(
  task: PartTask,
  part: Buffer,
  frames: FrameColumns,
  engine: Pick<CipherEngine, 'create'>,
): void {
  using cipher = engine.create(task.segment)
  const { segmentId, clusterId } = task.segment
  const aads = task.segment.sources.map(
    ({ topic, partition }) => new FrameAad({ segmentId, clusterId, topic, partition }),
  )
  for (let i = 0; i < frames.count; i++) {
    const at = (frames.position[i] as number) - task.position
    const aad = aads[frames.source[i] as number] as FrameAad
    const seq = part.readUInt32BE(at + 4)
    cipher.seal(part, at, frames.length[i] as number, seq, aad.of(part, at))
  }
}

async function notePlaces(
  { progress, segment }: PartTask,
  frames: FrameColumns,
  { mapping }: PartServices,
): Promise<void> {
  if (progress.uploaded) return
  const { dekId, segmentId, createdAtMs } = segment
  await mapping.recordPlaces({ dekId, segmentId, createdAtMs }, frames)
}

async function uploadOnce(
  task: PartTask,
  part: Buffer,
  services: PartServices,
): Promise<PartReceipt | null> {
  const { upload, progress, segment } = task
  if (progress.uploaded) return progress.receipt
  if (upload.kind === 'part') {
    return services.store.uploadPart(segment.objectKey, upload.uploadId, upload.partNumber, part)
  }
  await services.store.put(segment.objectKey, part, upload.metadata)
  return null
}

async function mapOnce(
  task: PartTask,
  frames: FrameColumns,
  { mapping }: PartServices,
  ids: MessageIds | undefined,
): Promise<void> {
  if (task.progress.mapped) return
  const { dekId, segmentId, objectKey, createdAtMs } = task.segment
  await mapping.writeRows({ dekId, segmentId }, objectKey, frames)
  if (ids === undefined) return
  await mapping.recordMessageIds({ dekId, segmentId, createdAtMs }, frames, ids)
}

/** A part that is tried again is sealed already, and brings along what was taken from it. */
function messageIds(
  { progress, position }: PartTask,
  part: Buffer,
  frames: FrameColumns,
  { messageIdHeader }: PartServices,
): Pick<PartProgress, 'messageIds'> {
  if (progress.messageIds !== undefined) return { messageIds: progress.messageIds }
  if (messageIdHeader === undefined || progress.sealed) return {}
  return { messageIds: messageIdsOf(part, frames, position, messageIdHeader) }
}

interface Timed<T> {
  readonly value?: T
  readonly error?: unknown
  readonly elapsedMs: number
}

async function timed<T>(step: () => Promise<T>): Promise<Timed<T>> {
  const startedAtMs = performance.now()
  try {
    const value = await step()
    return { value, elapsedMs: performance.now() - startedAtMs }
  } catch (error) {
    return { error, elapsedMs: performance.now() - startedAtMs }
  }
}

function failure(task: PartTask, error: unknown, progress: PartProgress): PartResult {
  if (!isSealError(error)) throw error
  return { ok: false, error: toPlainError(error, error.code), progress, buffer: task.buffer }
}
