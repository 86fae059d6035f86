import type { CipherEngine } from '../crypto/cipher-engine.ts'
import type { FrameCipher } from '../crypto/frame-cipher.ts'
import { isSealError, SealError, toPlainError } from '../errors.ts'
import { FrameAad } from '../format/aad.ts'
import { FRAME_HEADER_BYTES, readFrameHeader } from '../format/frame.ts'
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
  using from = engine.create(task.from)
  using to = engine.create(task.to)
  const { segmentId } = task
  const aads = task.sources.map((source) => new FrameAad({ segmentId, ...source }))
  const ciphers = { from, to }
  let isWhole = false
  try {
    for (let i = 0; i < task.frames.count; i++) {
      const aad = aads[task.frames.source[i] as number] as FrameAad
      resealFrame(task, i, bytes, aad, ciphers)
    }
    for (const patch of task.patches) bytes.set(patch.bytes, patch.position - task.position)
    isWhole = true
  } finally {
    // A frame that was opened and not sealed again lies in there in the clear.
    if (!isWhole) bytes.fill(0)
  }
}

function resealFrame(
  task: ResealTask,
  index: number,
  bytes: Buffer,
  aads: FrameAad,
  { from, to }: { readonly from: FrameCipher; readonly to: FrameCipher },
): void {
  const { frames, objectKey } = task
  const at = (frames.position[index] as number) - task.position
  const length = frames.length[index] as number
  const seq = frames.seq[index] as number
  requireIndexed(task, index, bytes, at)
  const aad = aads.of(bytes, at)
  const parcel = from.open(bytes, at, length, seq, aad)
  bytes.set(parcel, at + FRAME_HEADER_BYTES)
  to.seal(bytes, at, length, seq, aad)
  const check = to.open(bytes, at, length, seq, aad)
  const isSame = check.equals(parcel)
  parcel.fill(0)
  check.fill(0)
  if (isSame) return
  const message = `${objectKey}: a frame that was sealed anew opens to something else`
  throw new SealError('SEAL_OPEN_FAILED', message)
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
