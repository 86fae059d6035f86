import type { CipherEngine } from '../crypto/cipher-engine.ts'
import type { FrameCipher } from '../crypto/frame-cipher.ts'
import { isSealError, SealError, toPlainError } from '../errors.ts'
import { FrameAad } from '../format/aad.ts'
import { FRAME_HEADER_BYTES, FRAME_OVERHEAD_BYTES, readFrameHeader } from '../format/frame.ts'
import { writeShredded } from '../format/parcel.ts'
import type { ObjectReader } from '../reader/object-reader.ts'
import { readInspected } from '../reader/segment-inspection.ts'
import type { ObjectStore, PartReceipt } from '../segment/object-store.ts'
import type { ResealResult, ResealTask } from './reseal-task.ts'

/** What a worker thread has of its own. */
export interface ResealServices {
  readonly engine: Pick<CipherEngine, 'create'>
  readonly objects: ObjectReader
  readonly store: Pick<ObjectStore, 'put' | 'uploadPart'>
}

/**
 * The worker's half of a re-encryption: reads a range, opens every frame under the old key, seals it
 * under the new one at the same place, opens it once more to see that it was sealed right, and
 * uploads the range. What it replaces may be the only copy there is, hence the second look. Trying a
 * task again is safe as long as its segment has the same salt: the same frame under the same nonce
 * gives the same bytes.
 */
export async function resealRange(
  task: ResealTask,
  services: ResealServices,
): Promise<ResealResult> {
  try {
    const { objectKey: object, pairs, position, length } = task
    const bytes = await readInspected(services.objects, { object, pairs }, position, length)
    reseal(task, bytes, services.engine)
    return { ok: true, receipt: await upload(task, bytes, services.store) }
  } catch (error) {
    if (!isSealError(error)) throw error
    return { ok: false, error: toPlainError(error, error.code) }
  }
}

function reseal(task: ResealTask, bytes: Buffer, engine: Pick<CipherEngine, 'create'>): void {
  const { segmentId, frames } = task
  const longest = frames.length.reduce((most, length) => Math.max(most, length), 0)
  const work: Work = {
    from: engine.create(task.from),
    to: engine.create(task.to),
    aads: task.sources.map((source) => new FrameAad({ segmentId, ...source })),
    parcel: Buffer.allocUnsafeSlow(longest),
    check: Buffer.allocUnsafeSlow(longest),
  }
  let isWhole = false
  try {
    for (let i = 0; i < frames.count; i++) resealFrame(task, i, bytes, work)
    for (const patch of task.patches) bytes.set(patch.bytes, patch.position - task.position)
    isWhole = true
  } finally {
    work.from[Symbol.dispose]()
    work.to[Symbol.dispose]()
    work.parcel.fill(0)
    work.check.fill(0)
    // A frame that was opened and not sealed again lies in there in the clear.
    if (!isWhole) bytes.fill(0)
  }
}

/** What all frames of a range share. */
interface Work {
  readonly from: FrameCipher
  readonly to: FrameCipher
  readonly aads: readonly FrameAad[]
  /** Places for opened frames, each as long as the longest of them. */
  readonly parcel: Buffer
  readonly check: Buffer
}

function resealFrame(task: ResealTask, index: number, bytes: Buffer, work: Work): void {
  const { frames, objectKey } = task
  const { from, to } = work
  const at = (frames.position[index] as number) - task.position
  const length = frames.length[index] as number
  const seq = frames.seq[index] as number
  requireIndexed(task, index, bytes, at)
  const aad = (work.aads[frames.source[index] as number] as FrameAad).of(bytes, at)
  const parcel =
    task.shredded?.[index] === 1
      ? shreddedParcel(work.parcel, length - FRAME_OVERHEAD_BYTES)
      : from.open(bytes, at, length, seq, aad, work.parcel)
  bytes.set(parcel, at + FRAME_HEADER_BYTES)
  to.seal(bytes, at, length, seq, aad)
  if (to.open(bytes, at, length, seq, aad, work.check).equals(parcel)) return
  const message = `${objectKey}: a frame that was sealed anew opens to something else`
  throw new SealError('SEAL_OPEN_FAILED', message)
}

/** What was sealed there is not even opened. */
function shreddedParcel(place: Buffer, length: number): Buffer {
  writeShredded(place, 0, length)
  return place.subarray(0, length)
}

/** What stands there must be the frame of the index, which the footer of the segment vouches for. */
function requireIndexed(
  { frames, objectKey }: ResealTask,
  index: number,
  bytes: Buffer,
  at: number,
): void {
  const header = readFrameHeader(bytes, at)
  const isIt =
    header.frameBytes === frames.length[index] &&
    header.seq === frames.seq[index] &&
    header.source === frames.source[index] &&
    header.offset === frames.offset[index]
  if (isIt) return
  const message = `${objectKey}: at position ${frames.position[index]} stands another frame than its index says`
  throw new SealError('SEAL_MALFORMED', message)
}

async function upload(
  { upload: way, objectKey }: ResealTask,
  bytes: Buffer,
  store: ResealServices['store'],
): Promise<PartReceipt | null> {
  if (way.kind === 'part') return store.uploadPart(objectKey, way.uploadId, way.partNumber, bytes)
  await store.put(objectKey, bytes, way.metadata, way.replaces)
  return null
}
