import { randomUUID } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { checkFooterTag } from '../crypto/footer-tag.ts'
import type { NewSegmentKeys, WholeSegmentKeys } from '../crypto/segment-keys.ts'
import { fromPlainError, isSealError, SealError } from '../errors.ts'
import { encodeMetadata } from '../format/segment-metadata.ts'
import type { Dek } from '../keys/dek.ts'
import type { DekCache } from '../keys/dek-cache.ts'
import type { DekWindow } from '../keys/dek-window.ts'
import type { DekWindows } from '../keys/dek-windows.ts'
import type { DekRecord } from '../keys/key-store.ts'
import { isUnder, type LeftKek } from '../keys/left-kek.ts'
import type { MappingWriter, SegmentEntry, SegmentKey } from '../mapping/mapping-store.ts'
import type { SegmentRegister } from '../mapping/segment-register.ts'
import type { SegmentReplacements } from '../mapping/segment-replacements.ts'
import type { PacedBudget } from '../paced-budget.ts'
import type { Patience } from '../pipeline/patience.ts'
import type { ObjectReader } from '../reader/object-reader.ts'
import { inspectSegment, type SegmentInspection } from '../reader/segment-inspection.ts'
import type { ObjectInventory } from '../segment/object-inventory.ts'
import type { ObjectMetadata, ObjectStore } from '../segment/object-store.ts'
import { removeOldVersions } from './old-versions.ts'
import { resealTasks } from './reseal-parts.ts'
import type { ResealRunner, ResealTask, ResealUpload } from './reseal-task.ts'

/** What re-encryption works with. */
export interface ReencryptionServices {
  readonly objects: ObjectReader
  readonly store: Pick<ObjectStore, 'createUpload' | 'completeUpload' | 'abortUpload'>
  readonly inventory: Pick<ObjectInventory, 'objects' | 'remove' | 'retainedUntilMs'>
  /** Unwraps the DEKs of before. */
  readonly keys: DekCache
  /** Gives the new ones. */
  readonly windows: DekWindows
  readonly marks: Pick<MappingWriter, 'recordSealed' | 'recordPublished'>
  readonly replacements: SegmentReplacements
  readonly register: Pick<SegmentRegister, 'markSwept'>
  readonly runner: ResealRunner
  /** Bytes that are read, sealed and written. */
  readonly budget: PacedBudget
  readonly patience: Patience
  readonly clock: Clock
  readonly partBytes: number
  /** What everything is to be brought away from: no new DEK may be under it. */
  readonly leaving: LeftKek | null
}

/** A published segment that is to come under another DEK, as its register knows it. */
export type ReencryptionItem = Pick<
  SegmentEntry,
  'dekId' | 'segmentId' | 'rowsDekId' | 'objectKey' | 'createdAtMs'
> & {
  /** By frame of its index: 1 where the message is destroyed; see {@link ResealTask}. */
  readonly shredded?: Uint8Array
}

/**
 * What became of one segment. moved: it is under a new DEK; finished: it was already, and what was
 * left to do was done; gone: there is no object any more.
 */
export interface ReencryptionOutcome {
  readonly kind: 'moved' | 'finished' | 'gone'
  readonly messages: number
  readonly bytes: number
  /** Until when the store keeps a version under the old DEK; null when none is left. */
  readonly retainedUntilMs: number | null
}

const GONE: ReencryptionOutcome = { kind: 'gone', messages: 0, bytes: 0, retainedUntilMs: null }

/**
 * Brings one segment under a new DEK, in place: the same object key, the same frames at the same
 * places, so that every reference and every mapping row stays true.
 *
 *   look -> intent -> seal anew -> replace -> marks -> remove old versions -> replaced
 *
 * The intent is durable before the first new byte leaves the process, so both DEKs claim the segment
 * from then on, until nothing is left under the old one. The replacing is one conditional write: it
 * takes place only while the object is the one that was looked at. So of several processes that work
 * on one segment, one wins, and the others find it done. Readers see the one version or the other.
 * Whoever dies on the way leaves a segment that is readable and claimed; the next one who comes looks
 * at the object and goes on from what it finds. Throws what no waiting mends.
 */
export async function reencryptSegment(
  services: ReencryptionServices,
  item: ReencryptionItem,
): Promise<ReencryptionOutcome> {
  const { patience, objects } = services
  for (;;) {
    try {
      const inspection = await patience.with(() => inspectSegment(objects, item.objectKey))
      const { dekId } = inspection.metadata.header
      if (dekId !== item.dekId) {
        return await finish(services, item, inspection, { dekId, kind: 'finished' })
      }
      // The write went through under its condition and its checksum: what is there now is known.
      const toDekId = await move(services, item, inspection)
      return await finish(services, item, inspection, { dekId: toDekId, kind: 'moved' })
    } catch (error) {
      if (isSealError(error, 'SEAL_OBJECT_MISSING')) return GONE
      // Somebody else has replaced it; what is there now tells what is left to do.
      if (!isSealError(error, 'SEAL_OBJECT_CHANGED')) throw error
    }
  }
}

/** Marks, and what is left of before, now that the object is under `dekId`. It holds what it held. */
async function finish(
  { patience, marks, replacements, inventory, clock }: ReencryptionServices,
  item: ReencryptionItem,
  { footer, objectBytes: bytes }: SegmentInspection,
  { dekId, kind }: { readonly dekId: string; readonly kind: 'moved' | 'finished' },
): Promise<ReencryptionOutcome> {
  const { segmentId } = item
  const messages = footer.index.count
  const summary = { dekId, segmentId, messageCount: messages, bytes, sealedAtMs: clock.nowMs() }
  await patience.with(() => marks.recordSealed(summary))
  await patience.with(() => marks.recordPublished({ dekId, segmentId }, clock.nowMs()))
  const retainedUntilMs = await patience.with(() => removeOldVersions(inventory, item.objectKey))
  const replaced = { atMs: clock.nowMs(), byDekId: dekId, retainedUntilMs }
  await patience.with(() => replacements.recordReplaced(item, replaced))
  return { kind, messages, bytes, retainedUntilMs }
}

/** Under a new DEK, once, whose id it returns; throws SEAL_OBJECT_CHANGED when the object is another by now. */
async function move(
  services: ReencryptionServices,
  item: ReencryptionItem,
  inspection: SegmentInspection,
): Promise<string> {
  const { header, clusterId, keyDomain } = inspection.metadata
  using from = await genuineKeys(services, inspection)
  const window = await windowFor(services, inspection)
  const dek = window.dek.retain()
  try {
    using to = dek.newSegment(item.segmentId, header.createdAtMs, header.generation + 1)
    const { wrapped, kekId } = dek.record
    const wrap = { wrapped, kekId, keyDomain }
    const token = randomUUID()
    const metadata = encodeMetadata({ header: to.header, ...wrap, clusterId, token })
    await recordIntent(services, item, dek)
    const { shredded = null } = item
    await replace(services, inspection, { from, to, metadata, shredded }).catch(
      async (error: unknown) => {
        if (isSealError(error, 'SEAL_OBJECT_CHANGED')) await giveUp(services, item, dek)
        throw error
      },
    )
    return dek.record.dekId
  } finally {
    window.noteUse()
    dek.release()
  }
}

/** The keys of the segment as it is, once commitment and footer have shown that it is whole. */
async function genuineKeys(
  { patience, keys }: ReencryptionServices,
  { metadata, header, footer }: SegmentInspection,
): Promise<WholeSegmentKeys> {
  const dek = await patience.with(() => keys.dekOf(metadata))
  try {
    const opened = dek.openSegment(metadata.header)
    try {
      checkFooterTag(opened.footerKey, header, footer)
      return opened
    } catch (error) {
      opened[Symbol.dispose]()
      throw error
    }
  } finally {
    dek.release()
  }
}

/**
 * A window that holds all of the segment: what one DEK may reveal is bounded here as well. Throws
 * SEAL_KEK_FORBIDDEN when new DEKs are of the kind that is to be left.
 */
async function windowFor(
  { windows, clock, leaving }: ReencryptionServices,
  { metadata, footer, objectBytes }: SegmentInspection,
): Promise<DekWindow> {
  const { keyDomain, header } = metadata
  const messages = footer.index.count
  for (;;) {
    const window = await windows.take(keyDomain, objectBytes, messages)
    const { record } = window.dek
    // A window of before, under the very DEK that is to be left.
    if (record.dekId === header.dekId) {
      void windows.rotate({ dekId: record.dekId, keyDomain }, 're-encrypted')
      continue
    }
    if (leaving !== null && isUnder(record, leaving)) throw forbidden(record)
    // Others may have been given it in the same turn.
    if (!window.hasRoom(objectBytes, clock.elapsedMs(), messages)) continue
    window.spend(objectBytes, messages)
    return window
  }
}

function forbidden({ keyDomain, kekId, kekVersion }: DekRecord): SealError {
  const version = kekVersion === null ? '' : ` version ${kekVersion}`
  const message = `new data keys of ${keyDomain} are wrapped under ${kekId}${version}, which is to be left; rotate the KEK first`
  return new SealError('SEAL_KEK_FORBIDDEN', message)
}

async function recordIntent(
  { patience, replacements, clock }: ReencryptionServices,
  { segmentId, objectKey, createdAtMs, rowsDekId, dekId: replacesDekId }: ReencryptionItem,
  { record: { dekId } }: Dek,
): Promise<void> {
  const place = { segmentId, objectKey, createdAtMs, rowsDekId }
  const intent = { dekId, ...place, replacesDekId, beganAtMs: clock.nowMs() }
  await patience.with(() => replacements.recordReplacing(intent))
}

/** The object is not under this DEK, and never will be. */
async function giveUp(
  { patience, register, objects, clock }: ReencryptionServices,
  { segmentId, objectKey }: ReencryptionItem,
  { record: { dekId } }: Dek,
): Promise<void> {
  const key: SegmentKey = { dekId, segmentId }
  // An answer may have got lost, and the object be ours in spite of all.
  const now = await patience.with(() => inspectSegment(objects, objectKey)).catch(() => null)
  if (now === null || now.metadata.header.dekId === dekId) return
  await patience.with(() => register.markSwept(key, clock.nowMs()))
}

interface Replacement {
  readonly from: WholeSegmentKeys
  readonly to: NewSegmentKeys
  readonly metadata: ObjectMetadata
  readonly shredded: Uint8Array | null
}

async function replace(
  services: ReencryptionServices,
  inspection: SegmentInspection,
  { from, to, metadata, shredded }: Replacement,
): Promise<void> {
  const { store, patience, partBytes } = services
  const { object, etag, objectBytes: bytes } = inspection
  const tasks = resealTasks(inspection, from, to, partBytes, shredded)
  const [only, ...others] = tasks
  if (only !== undefined && others.length === 0) {
    await run(services, only, { kind: 'whole-object', metadata, replaces: etag })
    return
  }
  const uploadId = await patience.with(() => store.createUpload(object, metadata))
  try {
    const jobs = tasks.map((task, i) =>
      run(services, task, { kind: 'part', uploadId, partNumber: i + 1 }),
    )
    // Keys are wiped when this ends, so nothing may be under way then.
    await Promise.allSettled(jobs)
    const receipts = (await Promise.all(jobs)).filter((receipt) => receipt !== null)
    const expected = { bytes, metadata }
    await patience.with(() => store.completeUpload(object, uploadId, receipts, expected, etag))
  } catch (error) {
    await store.abortUpload(object, uploadId).catch(() => {})
    throw error
  }
}

async function run(
  { runner, patience, budget }: ReencryptionServices,
  task: Omit<ResealTask, 'upload'>,
  upload: ResealUpload,
) {
  return patience.with(async () => {
    await budget.take(task.length)
    const result = await runner.run({ ...task, upload })
    if (result.ok) return result.receipt
    throw fromPlainError(result.error)
  })
}
