import { isSealError, messageOf } from '../errors.ts'
import type { MappingWriter } from '../mapping/mapping-store.ts'
import type { SegmentRegister } from '../mapping/segment-register.ts'
import { type ObjectInventory, versionsOf } from '../segment/object-inventory.ts'
import {
  isOld,
  type SweepItem,
  type SweepPlan,
  type SweepScope,
  type SweepSources,
} from './sweep-plan.ts'

/** What a sweep works with. */
export interface SweepPorts extends SweepSources {
  readonly register: SegmentRegister
  readonly marks: Pick<MappingWriter, 'recordPublished'>
  readonly inventory: Pick<ObjectInventory, 'objects' | 'uploads' | 'remove' | 'abort'>
}

/** What was done. */
export interface SweepOutcome {
  readonly segments: number
  /** Versions and marks of deletion; `bytes` are those of the versions. */
  readonly objects: number
  readonly bytes: number
  readonly uploads: number
  /** Published marks that had got lost. */
  readonly marked: number
  /** Segments that were kept, because something of them has come in since the plan was made. */
  readonly grown: number
  /** Segments whose removal the store refuses, and its words. */
  readonly refused: readonly { readonly objectKey: string; readonly reason: string }[]
  /** The signal came before the end. What was not reached waits for the next sweep. */
  readonly isStopped: boolean
}

type Counts = { -readonly [name in keyof SweepOutcome]: SweepOutcome[name] } & {
  refused: { objectKey: string; reason: string }[]
}

/**
 * Does what the plan says, a segment after the other. Of each: the versions of its object, its open
 * uploads, then its rows and the mark; so whoever dies in between finds it again. May be repeated.
 * A segment that the store refuses to remove is noted and kept; other errors end it.
 */
export async function carryOut(
  ports: SweepPorts,
  scope: SweepScope,
  plan: SweepPlan,
): Promise<SweepOutcome> {
  const counts: Counts = {
    ...{ segments: 0, objects: 0, bytes: 0, uploads: 0, marked: 0, grown: 0 },
    ...{ refused: [], isStopped: false },
  }
  let done = 0
  for (const item of plan.items) {
    counts.isStopped = scope.signal.aborted
    if (counts.isStopped) break
    if (item.verdict === 'orphan') await sweepOne(ports, scope, item, counts)
    if (item.verdict === 'given-up') await giveUp(ports, item, counts)
    const isUnmarked = item.segment.state !== 'published'
    if (isUnmarked && (item.verdict === 'published' || item.verdict === 'alarm')) {
      await ports.marks.recordPublished(item.segment, ports.clock.nowMs())
      counts.marked++
    }
    scope.onProgress('removals', ++done, plan.items.length)
  }
  return counts
}

/** Of a re-encryption that did not take place only its uploads are there. */
async function giveUp(
  { inventory, register, clock }: SweepPorts,
  { segment, uploads }: SweepItem,
  counts: Counts,
): Promise<void> {
  for (const upload of uploads) {
    await inventory.abort(upload)
    counts.uploads++
  }
  await register.markSwept(segment, clock.nowMs())
  counts.segments++
}

async function sweepOne(
  { inventory, register, clock }: SweepPorts,
  { ageMs }: SweepScope,
  { segment, uploads }: SweepItem,
  counts: Counts,
): Promise<void> {
  const { objectKey } = segment
  try {
    const objects = await versionsOf(inventory, objectKey)
    if (!objects.every(({ modifiedAtMs }) => isOld(modifiedAtMs, ageMs, clock.nowMs()))) {
      counts.grown++
      return
    }
    for (const object of objects) {
      await inventory.remove(object)
      counts.objects++
      counts.bytes += object.bytes
    }
    for (const upload of uploads) {
      await inventory.abort(upload)
      counts.uploads++
    }
  } catch (error) {
    if (!isSealError(error, 'SEAL_STORE_REFUSED')) throw error
    counts.refused.push({ objectKey, reason: messageOf(error) })
    return
  }
  await register.markSwept(segment, clock.nowMs())
  counts.segments++
}
